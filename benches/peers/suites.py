#!/usr/bin/env python3
"""The picture suites of seven libraries, by our app and by Chromium: `make compare-suites`.

Debian's source packages of Pillow, libvips, exiv2, ImageMagick, libexif, libjpeg-turbo and libwebp hold some 870 different JPEG, PNG and WebP
files, most of which once broke something. Each is uploaded as a pro user (no mark), and the widest JPEG rendition is laid beside what
Chromium makes of the same file: accepted or not, size and way up, colours. Markdown on stdout; talk on stderr. Whatever differs is put
into a kind, with its explanation (`suites_kinds.py`); the notes are docs/decisions/picture-suites.md.

    suites.py LIGHTMETER_BINARY [--sources FOLDER] [--only TEXT] [--records FILE] ...
    suites.py --url http://127.0.0.1:8080 ...

The archives are read, never unpacked: nothing of them is run, and none of their files is kept. The exit code is 1 when the app crashed,
answered with 5xx or not at all, or said yes to a picture it then could not make; differences alone do not fail.
"""

import argparse
import collections
import hashlib
import html
import io
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import tarfile
import tempfile
import time

import numpy
import requests
from PIL import Image

from memory import megabytes
from suites_chromium import Chromium
from suites_kinds import explain
from suites_traits import features_of, format_of, without_animation

PACKAGES = {"Pillow": "pillow", "libvips": "vips", "exiv2": "exiv2", "ImageMagick": "imagemagick", "libexif": "libexif",
            "libjpeg-turbo": "libjpeg-turbo", "libwebp": "libwebp"}
FILE_BYTES_MAX = 30 * 1024 * 1024  # below the app's own limit; no picture of the suites comes near it
ANSWER_S = 60  # twice the app's own time limit: whoever takes longer hangs
MEAN_MAX = 4  # levels of a channel's mean difference: JPEG's noise
BLOCK = 8  # pixels of what is compared, across and down
BLOCK_MAX = 16  # levels of a channel's mean difference in the worst block
COMPARED_MAX = 256  # pixels of the longer side that are compared
QUALITY = 85  # the renditions'
# What no sentence for people has: braces, quotes, paths of code, and the word that libraries begin with.
LIBRARY_WORDS = re.compile(r'[{}"_]|::|[Ee]rror|Reason|expected')


def apt(folder, *words):
    """apt-get by a configuration of its own: source packages of the system's own Debian mirror, lists and archives in `folder`."""
    own = {"Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "/dev/null", "Dir::State::lists": folder / "lists",
           "Dir::Cache": folder / "cache", "APT::Sandbox::User": "root"}
    settings = [word for name, value in own.items() for word in ("-o", f"{name}={value}")]
    done = subprocess.run(["apt-get", "-q", *settings, *words], cwd=folder / "archives", capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"suites: apt-get {' '.join(words)} failed: {done.stderr.strip()}")


def download(folder):
    """The source packages; apt-get compares them with the checksums that Debian signed, and loads none again that is there."""
    for name in ("archives", "lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    form = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    targets = subprocess.run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], capture_output=True, text=True, check=True)
    # The release alone, without security and updates: what is compared stays the same until the next one, or its next point.
    found = sorted({tuple(line.split("|")[1:]) for line in targets.stdout.splitlines() if line.startswith("Debian|")})
    found = [(uri, release, component) for uri, release, component in found if "-" not in release]
    if not found:
        sys.exit("suites: this system's apt knows no Debian mirror: run apt-get update once, or give a folder that has the archives (--sources)")
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    lines = [f"deb-src [signed-by={keys}] {uri} {release} {component}\n" for uri, release, component in found]
    (folder / "sources.list").write_text("".join(lines))
    apt(folder, "update")
    apt(folder, "source", "--download-only", *PACKAGES.values())


def pictures(folder):
    """Each different picture once, as (suite, version, name, bytes), in the order of the suites."""
    seen = set()
    for suite, package in PACKAGES.items():
        archives = [path for path in sorted(folder.glob(f"archives/{package}_*.tar.*")) if path.suffix != ".asc"]
        versions = [path.stem.split("_", 1)[1] for path in folder.glob(f"archives/{package}_*.dsc")]
        if not archives or not versions:
            sys.exit(f"suites: no archive of {package} lies in {folder}/archives")
        for path in archives:
            with tarfile.open(path) as archive:
                for member in archive:
                    if not member.isreg() or member.size > FILE_BYTES_MAX:
                        continue
                    data = archive.extractfile(member).read()
                    digest = hashlib.sha256(data).digest()
                    if format_of(data) and digest not in seen:
                        seen.add(digest)
                        yield suite, max(versions), member.name.split("/", 1)[-1], data


class App:
    """A running app with a pro user who uploads."""

    def __init__(self, binary, url):
        self.process, self.folder, self.url = None, None, url
        if binary:
            self.start(os.path.abspath(binary))
        self.session = requests.Session()
        answer = self.post("/signup", data={"name": f"s{secrets.token_hex(4)}", "display_name": "Suites", "password": secrets.token_hex(12)})
        if answer.status_code != 303:
            sys.exit(f"suites: no user could be made at {self.url}: {answer.status_code}")
        self.post("/account/plan", data={"plan": "pro"})

    def start(self, binary):
        """In an empty folder, on a free port, with the settings that an app has by default."""
        self.folder = tempfile.TemporaryDirectory(prefix="suites-app-")
        self.log = open(os.path.join(self.folder.name, "log"), "w+")
        self.process = subprocess.Popen([binary, "app", "serve", "--listen", "127.0.0.1:0", "--store", "sqlite", "--store-url", "app.db",
                                         "--assets", "local", "--assets-dir", "assets"],
                                        cwd=self.folder.name, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"(?:http://)?(127\.0\.0\.1:\d+)", line)
        if not found:
            sys.exit(f"suites: {binary} did not start: {self.said()}")
        self.url = f"http://{found[1]}"

    def said(self):
        self.log.seek(0)
        return self.log.read()[-2000:]

    def post(self, path, **rest):
        return self.session.post(self.url + path, allow_redirects=False, timeout=ANSWER_S, **rest)

    def memory(self):
        """Megabytes in memory now and at the highest, or none for an app that someone else has started."""
        if self.process is None:
            return None
        return tuple(round(megabytes(self.process, line)) for line in ("VmRSS", "VmHWM"))

    def upload(self, name, data):
        """What became of it: an outcome, the app's words where it refused, the widest JPEG rendition where it accepted."""
        try:
            answer = self.post("/upload", files={"picture": (name, data, "application/octet-stream")},
                               data={"caption": "", "alt": "", "filter": "original", "strength": "100"})
            if answer.status_code == 303:
                return self.rendition(answer.headers["location"])
        except requests.Timeout:
            return "hung", f"no answer within {ANSWER_S} s", None
        except requests.ConnectionError as error:
            return "broke off", str(error), None
        if answer.status_code >= 500:
            return "failed", f"{answer.status_code} {answer.text[:200]}", None
        found = re.search(r'class="mistake"[^>]*>(.*?)</p>', answer.text, re.S)
        return "refused", html.unescape(found[1]).strip() if found else f"{answer.status_code} {answer.text[:200]}", None

    def rendition(self, location):
        page = self.session.get(self.url + location, timeout=ANSWER_S)
        found = re.findall(r'(/assets/renditions/[^"\s,]+/(\d+)\.jpg)', page.text)
        if not found:
            return "failed", f"{page.status_code}, and no rendition on the photo's page", None
        file = self.session.get(self.url + max(found, key=lambda each: int(each[1]))[0], timeout=ANSWER_S)
        return "accepted", "", file.content

    def close(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.log.close()
            self.folder.cleanup()


def reduced(pixels):
    """Averaged by whole numbers of pixels to at most COMPARED_MAX: what is finer is noise, or a matter of the resizing kernel."""
    factor = -(-max(pixels.shape[:2]) // COMPARED_MAX)
    return in_blocks(pixels.astype(numpy.float32), factor)


def in_blocks(values, side):
    """The mean of each channel in each block, the last ones being filled with what lies at the edge."""
    rows, columns, channels = values.shape
    padded = numpy.pad(values, ((0, -rows % side), (0, -columns % side), (0, 0)), mode="edge")
    return padded.reshape(-(-rows // side), side, -(-columns // side), side, channels).mean((1, 3))


def distance(ours, theirs):
    """The mean difference of the worst channel, over the whole and in the worst block."""
    difference = numpy.abs(reduced(ours) - reduced(theirs))
    return difference.mean((0, 1)).max(), in_blocks(difference, BLOCK).max()


def noise(pixels):
    """What a JPEG like ours takes from these pixels by itself: much from a few coloured pixels beside each other."""
    file = io.BytesIO()
    Image.fromarray(pixels.astype(numpy.uint8)).save(file, "JPEG", quality=QUALITY, subsampling=2)
    return distance(numpy.asarray(Image.open(file)), pixels)


def same_shape(ours, theirs):
    """Whether ours is theirs made smaller, up to the rounding of a side."""
    scale = ours["width"] / theirs["width"]
    return scale <= 1 and abs(ours["height"] - theirs["height"] * scale) <= 1


def compare(ours, theirs):
    """(verdict, figures): `same`, `size` or `pixels`. Both pictures are shown by the same browser on canvases of the size of ours."""
    if not same_shape(ours, theirs):
        return "size", f"{ours['width']}x{ours['height']} for {theirs['width']}x{theirs['height']}"
    mean, block = distance(ours["pixels"], theirs["pixels"])
    mean_noise, block_noise = noise(theirs["pixels"])
    said = f"mean {mean:.1f}, worst block {block:.0f}; of a JPEG itself {mean_noise:.1f}, {block_noise:.0f}"
    differs = mean > max(MEAN_MAX, 2 * mean_noise) or block > max(BLOCK_MAX, 2 * block_noise)
    return ("pixels" if differs else "same"), said


def judge(record, rendition, theirs, ours):
    """Fills in what Chromium did and how that compares with what the app did."""
    record["chromium"] = "no answer" if theirs is None else "loaded" if theirs["loaded"] else "error"
    shown = False
    if theirs is not None and theirs["loaded"]:
        record.update({key: theirs[key] for key in ("width", "height", "transparent")})
        # Without an end marker Chromium leaves out a row of blocks more than are missing.
        record["traits"] += ["rows are missing"] * (record["format"] == "JPEG" and theirs["transparent"] > 0.1)
        # Chromium calls some broken files loaded and paints nothing. So it paints a picture that is transparent all over: ours is white then.
        shown = theirs["transparent"] < 1 or ours is not None and ours["loaded"] and distance(ours["pixels"], theirs["pixels"])[0] < MEAN_MAX
    if record["app"] not in ("accepted", "refused"):
        record["verdict"] = record["app"]
    elif rendition and (ours is None or not ours["loaded"]):
        record["verdict"] = "broken"
    elif rendition and shown:
        record["verdict"], record["figures"] = compare(ours, theirs)
    elif rendition:
        record["verdict"] = "only ours"
    else:
        record["verdict"] = "only Chromium" if shown else "refused by both"


# EXIF's orientations: how rows and columns as stored become upright.
TURNS = {2: lambda rows: rows[:, ::-1], 3: lambda rows: rows[::-1, ::-1], 4: lambda rows: rows[::-1], 5: lambda rows: rows.swapaxes(0, 1),
         6: lambda rows: rows[::-1].swapaxes(0, 1), 7: lambda rows: rows[::-1, ::-1].swapaxes(0, 1), 8: lambda rows: rows.swapaxes(0, 1)[::-1]}


def orientation_of(record):
    found = [trait.split()[1] for trait in record["traits"] if re.fullmatch(r"orientation \d+", trait)]
    return int(found[0]) if found else 1


def second_look(record, data, ours, chromium):
    """Where another picture is meant than Chromium shows, whether it agrees on that one: an APNG without its animation, a WebP turned as its
    EXIF says. Otherwise such a kind would explain every other fault of its files."""
    size = [ours["columns"], ours["rows"]]
    if record["format"] == "PNG" and any(trait.startswith("APNG") for trait in record["traits"]):
        meant, said = chromium.show(without_animation(data), size), "the same without its animation"
    elif record["format"] == "WebP" and (number := orientation_of(record)) in TURNS:
        swapped = number >= 5
        meant, said = chromium.show(data, size[::-1] if swapped else size), "the same when turned"
        if meant is not None and meant["loaded"]:
            meant["pixels"] = TURNS[number](meant["pixels"])
            meant["width"], meant["height"] = (meant["height"], meant["width"]) if swapped else (meant["width"], meant["height"])
    else:
        return
    if meant is not None and meant["loaded"] and compare(ours, meant)[0] == "same":
        record["traits"].append(said)


def run(options, app, chromium):
    """A record for each picture."""
    records, begun = [], time.monotonic()
    for suite, version, name, data in pictures(options.sources):
        if options.only not in f"{suite}/{name}":
            continue
        record = {"suite": suite, "version": version, "name": name, "bytes": len(data), **features_of(data)}
        outcome, message, rendition = app.upload(os.path.basename(name), data)
        record["app"], record["message"] = outcome, message
        ours = chromium.show(rendition) if rendition else None
        size = [ours["columns"], ours["rows"]] if ours is not None and ours["loaded"] else None
        judge(record, rendition, chromium.show(data, size), ours)
        if record["verdict"] in ("size", "pixels", "only ours"):
            second_look(record, data, ours, chromium)
        record["kind"], record["explanation"] = explain(record)
        if app.process is not None:
            record["memory"] = app.memory() if app.process.poll() is None else None
        records.append(record)
        if len(records) % 50 == 0:
            print(f"suites: {len(records)} pictures in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        if app.process is not None and app.process.poll() is not None:
            record["verdict"] = "crashed"
            print(f"suites: the app ended at {suite}/{name}: {app.said()}", file=sys.stderr)
            break
    return records


COLUMNS = ["same", "refused by both", "only Chromium", "only ours", "size", "pixels"]
FAULTS = ["crashed", "failed", "hung", "broke off", "broken"]


def report(records, memory):
    """Two tables, counts for each suite and the kinds of differences; then what people could not understand, and the memory."""
    counts = collections.defaultdict(collections.Counter)
    versions = {record["suite"]: record["version"] for record in records}
    for record in records:
        counts[record["suite"]][record["verdict"]] += 1
        counts["all"][record["verdict"]] += 1
    print("| suite | source package | files | accepted, the same | refused by both | only Chromium shows it | only ours accepts it | another size "
          "| other pixels | faults |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for suite in [*versions, "all"]:
        count = counts[suite]
        package = f"{PACKAGES[suite]} {versions[suite]}" if suite in versions else ""
        cells = [str(count[column]) for column in COLUMNS] + [str(sum(count[fault] for fault in FAULTS))]
        print(f"| {suite} | {package} | {count.total()} | " + " | ".join(cells) + " |")
    print("\n| what differs | files | kind | explanation |\n|---|---|---|---|")
    kinds = collections.Counter((record["verdict"], record["kind"], record["explanation"]) for record in records
                                if record["verdict"] not in ("same", "refused by both"))
    for (verdict, kind, explanation), number in sorted(kinds.items(), key=lambda each: (each[0][0], -each[1])):
        print(f"| {verdict} | {number} | {kind} | {explanation} |")
    worded = sorted({record["message"] for record in records if record["app"] == "refused" and LIBRARY_WORDS.search(record["message"])})
    print(f"\nRefusals in a library's words: {len(worded)}" + "".join(f"\n- {message}" for message in worded))
    if memory:
        print(f"\nMemory of the app: {memory[0]} MB before the first upload, {memory[1]} MB at rest after the last, {memory[2]} MB at its highest.")


def listing(records):
    """For whoever looks into a difference: every file that has one, on stderr."""
    for record in sorted(records, key=lambda each: (each["verdict"], each["kind"])):
        if record["verdict"] != "same":
            about = record.get("figures") or record["message"]
            kind = "" if record["kind"] == about else f"{record['kind']}: "
            print(f"{record['verdict']}: {record['suite']}/{record['name']}: {kind}{about}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?", help="the release build of lightmeter; started in a folder that is removed afterwards")
    parser.add_argument("--url", help="a running app in place of a binary")
    parser.add_argument("--sources", type=pathlib.Path, metavar="FOLDER", help="keep the archives here, and take those that are there")
    parser.add_argument("--chromium", default="chromium", metavar="COMMAND")
    parser.add_argument("--only", default="", metavar="TEXT", help="pictures whose suite/name has this in it")
    parser.add_argument("--records", type=pathlib.Path, metavar="FILE", help="also write everything as lines of JSON")
    parser.add_argument("--list", action="store_true", help="also name every file with a difference, on stderr")
    options = parser.parse_args()
    if bool(options.binary) == bool(options.url):
        parser.error("give either the binary or --url")
    with tempfile.TemporaryDirectory(prefix="suites-sources-") as folder:
        options.sources = (options.sources or pathlib.Path(folder)).absolute()
        if not list(options.sources.glob("archives/*.dsc")):
            print("suites: fetching the source packages", file=sys.stderr)
            download(options.sources)
        chromium = Chromium(options.chromium)
        app = App(options.binary, options.url and options.url.rstrip("/"))
        try:
            chromium.check()
            before = app.memory()
            records = run(options, app, chromium)
            after = app.memory() if app.process is None or app.process.poll() is None else None
        finally:
            chromium.close()
            app.close()
    report(records, (before[0], *after) if before and after else None)
    if options.list:
        listing(records)
    if options.records:
        options.records.write_text("".join(json.dumps(record) + "\n" for record in records))
    return int(any(record["verdict"] in FAULTS for record in records))


if __name__ == "__main__":
    sys.exit(main())
