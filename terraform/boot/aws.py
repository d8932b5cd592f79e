"""What an instance asks AWS for at boot: its settings, its secrets, its binary; and where it puts a manifest or a result.

Requests are signed here (Signature Version 4, the standard library only), because neither Ubuntu's nor Debian's image brings the AWS
CLI along, and a load generator's security group lets no package server through. Credentials are the instance role's.

    aws.py settings /etc/photo-app/env     parameters and secrets -> an environment file (root only)
    aws.py get BUCKET KEY FILE             an object -> a file
    aws.py put BUCKET KEY FILE             a file -> an object
    aws.py check                           the signature against the example that AWS publishes; the file of made-up answers
"""
import datetime
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

BOOT = "/etc/lightmeter/boot.json"
METADATA = "http://169.254.169.254/latest/"
TIMEOUT_S = 30
# A new role takes some seconds to be known everywhere; nothing tells when it is.
ATTEMPTS = 20
PAUSE_S = 3


def sign(method, host, path, query, headers, body_hash, service, region, keys, now):
    """The Authorization header for a request; `headers` are all that are signed, lower case, host and date among them."""
    day = now[:8]
    scope = f"{day}/{region}/{service}/aws4_request"
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join([method, path, query, lines, names, body_hash])
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + keys["SecretAccessKey"]).encode()
    for part in (day, region, service, "aws4_request", text):
        signature = hmac.new(key, part.encode(), hashlib.sha256)
        key = signature.digest()
    return (
        f"AWS4-HMAC-SHA256 Credential={keys['AccessKeyId']}/{scope}, SignedHeaders={names}, Signature={signature.hexdigest()}"
    )


def metadata(path):
    """A line of the instance's metadata, by IMDSv2: first a token, then the question."""
    ask = urllib.request.Request(METADATA + "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"})
    token = urllib.request.urlopen(ask, timeout=TIMEOUT_S).read().decode()
    ask = urllib.request.Request(METADATA + path, headers={"X-aws-ec2-metadata-token": token})
    return urllib.request.urlopen(ask, timeout=TIMEOUT_S).read().decode()


def role_keys():
    role = metadata("meta-data/iam/security-credentials/").split()[0]
    return json.loads(metadata(f"meta-data/iam/security-credentials/{role}"))


def call(*request):
    """A signed request, tried again while the role is new; its answer's body."""
    for attempt in range(ATTEMPTS):
        try:
            return call_once(*request)
        except urllib.error.HTTPError as error:
            said = f"{error.code} {error.read(500).decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            # No connection, none any more, or an answer that ended early.
            said = repr(error)
        print(f"{request[0]} {request[2]} {request[3]}: {said}", file=sys.stderr)
        if attempt + 1 < ATTEMPTS:
            time.sleep(PAUSE_S)
    sys.exit(f"gave up after {ATTEMPTS} attempts")


def call_once(service, host, method, path, extra, body, region):
    """One signed request; its answer's body."""
    keys = role_keys()
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    body_hash = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-date": now, "x-amz-content-sha256": body_hash, "x-amz-security-token": keys["Token"], **extra}
    headers["Authorization"] = sign(method, host, path, "", headers, body_hash, service, region, keys, now)
    ask = urllib.request.Request(f"https://{host}{path}", data=body or None, method=method, headers=headers)
    return urllib.request.urlopen(ask, timeout=TIMEOUT_S).read()


def json_call(service, target, question, region):
    extra = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    body = json.dumps(question).encode()
    return json.loads(call(service, f"{service}.{region}.amazonaws.com", "POST", "/", extra, body, region))


def parameters(path, region):
    """Every parameter under the path: its last part -> its value."""
    found, token = {}, None
    while True:
        question = {"Path": path, **({"NextToken": token} if token else {})}
        answer = json_call("ssm", "AmazonSSM.GetParametersByPath", question, region)
        found.update({one["Name"].rsplit("/", 1)[1]: one["Value"] for one in answer["Parameters"]})
        token = answer.get("NextToken")
        if not token:
            return found


def secret(arn, region):
    return json_call("secretsmanager", "secretsmanager.GetSecretValue", {"SecretId": arn}, region)["SecretString"]


def fill(value, words):
    """Puts what only the instance knows in the place of %WORD%."""
    for word, text in words.items():
        value = value.replace(f"%{word}%", text)
    return value


def settings(boot, target):
    region, words = boot["region"], {"INSTANCE": metadata("meta-data/instance-id")}
    if boot.get("database_secret"):
        login = json.loads(secret(boot["database_secret"], region))
        words["DATABASE_USER"] = urllib.parse.quote(login["username"], safe="")
        words["DATABASE_PASSWORD"] = urllib.parse.quote(login["password"], safe="")
    if boot.get("database_password_file"):
        words["DATABASE_PASSWORD"] = pathlib.Path(boot["database_password_file"]).read_text().strip()
    if boot.get("session_secret"):
        words["SESSION_SECRET"] = secret(boot["session_secret"], region)
    lines = [f"{name}={fill(value, words)}" for name, value in sorted(parameters(boot["settings_path"], region).items())]
    if not lines or any("\n" in line for line in lines):
        sys.exit(f"the settings under {boot['settings_path']} are empty, or one of them has more than one line")
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(lines) + "\n")


def s3(method, bucket, key, body, region):
    path = "/" + urllib.parse.quote(key)
    return call("s3", f"{bucket}.s3.{region}.amazonaws.com", method, path, {}, body, region)


def check():
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html: the example of ListUsers."""
    keys = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8", "host": "iam.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    header = sign(
        "GET", "iam.amazonaws.com", "/", "Action=ListUsers&Version=2010-05-08", headers, hashlib.sha256(b"").hexdigest(),
        "iam", "us-east-1", keys, "20150830T123600Z",
    )
    if not header.endswith("5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"):
        sys.exit(f"the signature is not the one that AWS publishes: {header}")
    # An environment file, from answers as AWS gives them: a password with letters that an address cannot hold is escaped.
    answers = {"database": json.dumps({"username": "photo_app", "password": "a/b"}), "session": "key"}
    globals().update(
        metadata=lambda _: "i-1",
        secret=lambda arn, _: answers[arn],
        parameters=lambda *_: {"B": "mysql://%DATABASE_USER%:%DATABASE_PASSWORD%@h", "A": "%INSTANCE%", "C": "%SESSION_SECRET%"},
    )
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "env")
        settings({"region": "r", "settings_path": "/", "database_secret": "database", "session_secret": "session"}, file)
        if file.read_text() != "A=i-1\nB=mysql://photo_app:a%2Fb@h\nC=key\n" or file.stat().st_mode & 0o777 != 0o600:
            sys.exit(f"the environment file is wrong: {file.read_text()}")


def main(words):
    if words[:1] == ["check"]:
        return check()
    boot = json.loads(pathlib.Path(BOOT).read_text())
    if words[:1] == ["settings"]:
        settings(boot, words[1])
    elif words[:1] == ["get"]:
        bucket, key, file = words[1:]
        pathlib.Path(file).write_bytes(s3("GET", bucket, key, b"", boot["region"]))
    elif words[:1] == ["put"]:
        bucket, key, file = words[1:]
        s3("PUT", bucket, key, pathlib.Path(file).read_bytes(), boot["region"])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
