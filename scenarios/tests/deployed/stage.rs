//! What the tests stand on: a folder with the `aws` that plays AWS, and stages made of this package's own binary.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

/// Where the binary is.
pub const LIGHTMETER: &str = env!("CARGO_BIN_EXE_lightmeter");
/// Signs the cookies of all servers of a test.
const SECRET: &str = "a-secret-of-a-test-that-is-long-enough";

/// Plays the AWS command line tool from files beside it: buckets are folders, a document of Systems Manager is a script, answers are
/// files. It writes down how it was called.
const AWS: &str = r#"#!/bin/sh
home=$(dirname "$0")
echo "$*" >> "$home/calls"
word() { # the word after $1
  wanted=$1; shift
  while [ $# -gt 1 ]; do [ "$1" = "$wanted" ] && { echo "$2"; return; }; shift; done
}
case "$1 $2" in
  "s3 cp")
    file=$home/s3/${3#s3://}
    [ -f "$file" ] && exec cp "$file" "$4"
    echo 'fatal error: An error occurred (404) when calling the HeadObject operation: Key does not exist' >&2
    exit 1 ;;
  "ssm send-command")
    parameters=$(word --parameters "$@")
    sh "$home/documents/$(word --document-name "$@")" $(echo "$parameters" | tr ',' ' ') || exit 1
    echo '{"Command": {"CommandId": "c-1"}}' ;;
  "ssm get-command-invocation") echo '{"Status": "Success"}' ;;
  "ec2 describe-instances") cat "$home/instances.json" ;;
  "cloudwatch get-metric-data") cat "$home/figures.json" ;;
  "resourcegroupstaggingapi get-resources") cat "$home/resources.json" ;;
  *) echo "the aws of this test does not know: $*" >&2; exit 2 ;;
esac
"#;

/// A folder with everything.
pub struct World {
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let world = World { folder };
        for name in ["bin", "bin/documents", "bin/s3"] {
            fs::create_dir_all(world.path(name)).expect("a folder can be made");
        }
        world.write("bin/aws", AWS);
        fs::set_permissions(world.path("bin/aws"), fs::Permissions::from_mode(0o755))
            .expect("a script can be made executable");
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    /// How `aws` was called, a line each.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("bin/calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Runs the binary with this world's `aws` on the path.
    pub fn lightmeter(&self, words: &[&str]) -> Output {
        self.lightmeter_with(&format!("{}:/usr/bin:/bin", self.path("bin").display()), words)
    }

    pub fn lightmeter_with(&self, path: &str, words: &[&str]) -> Output {
        let mut command = Command::new(LIGHTMETER);
        command.args(words).env("PATH", path).current_dir(self.folder.path());
        command.output().expect("the binary can be started")
    }
}

/// A process that ends with the test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Web servers on one database, behind a balancer or alone.
pub struct Stage {
    pub name: &'static str,
    pub url: String,
    count: usize,
    _processes: Vec<Ending>,
}

impl Stage {
    /// Starts it, empty, and gives the world its document that seeds it.
    pub fn start(world: &World, name: &'static str, count: usize) -> Stage {
        let (rows, pictures) =
            (world.path(&format!("{name}/rows.db")), world.path(&format!("{name}/pictures")));
        let settings = format!(
            "--store sqlite --store-url {} --assets-dir {} --session-secret {SECRET} --renditions jpeg",
            rows.display(),
            pictures.display()
        );
        let manifest = world.path(&format!("bin/s3/{name}/population/current.json"));
        world.write(
            &format!("bin/documents/{name}-seed"),
            &format!(
                "set -e\nfor pair in \"$@\"; do eval \"$pair\"; done\nmkdir -p \"$(dirname {manifest})\"\n\
                 {LIGHTMETER} app seed {settings} --people $people --photos $photos --pictures $pictures \
                 --follows-mean $followsMean --seed $seed --manifest {manifest} 2>/dev/null\n",
                manifest = manifest.display()
            ),
        );
        let mut processes = Vec::new();
        let mut addresses = Vec::new();
        for number in 1..=count {
            let mut words =
                vec!["app".to_owned(), "serve".into(), "--listen".into(), "127.0.0.1:0".into()];
            words.extend(["--instance".into(), format!("i-{name}-{number}")]);
            words.extend(settings.split(' ').map(str::to_owned));
            if count > 1 {
                words.extend(["--client-address".into(), "forwarded".into()]);
            }
            let (process, address) = listening(&words);
            processes.push(process);
            addresses.push(address);
        }
        let mut entry = addresses[0].clone();
        if count > 1 {
            let mut words: Vec<String> =
                ["balancer", "--listen", "127.0.0.1:0"].map(String::from).into();
            for address in &addresses {
                words.extend(["--upstream".to_owned(), address.clone()]);
            }
            let (process, address) = listening(&words);
            processes.push(process);
            entry = address;
        }
        Stage { name, url: format!("http://{entry}"), count, _processes: processes }
    }

    /// What terraform would write about it.
    pub fn outputs(&self) -> Value {
        let output =
            |value: Value| json!({ "sensitive": false, "type": "dynamic", "value": value });
        json!({
            "stage": output(json!({ "name": self.name, "project": "lightmeter", "expires": "2026-12-31" })),
            "place": output(json!({ "region": "us-east-1", "availability_zones": ["us-east-1a", "us-east-1b"] })),
            "url": output(json!(self.url)),
            "assets_url": output(json!("")),
            "expected_settings": output(json!({
                "store": "sqlite", "store_nodes": "1", "assets": "local", "cache": "none", "jobs": "inline",
                "sessions": "cookie", "renditions": "jpeg",
            })),
            "stack": output(json!({
                "balancer": self.count > 1, "web_count": self.count, "worker_count": 0, "fixed_counts": true, "cdn": false,
            })),
            "instance_types": output(json!({ "web": "t3.small" })),
            "seed": output(json!({
                "document": format!("{}-seed", self.name), "tag_name": "Name",
                "tag_value": format!("lightmeter-{}-web", self.name), "bucket": self.name,
            })),
            "load": output(json!({ "document": "", "bucket": self.name, "count": 0 })),
            "metrics": output(json!([{
                "component": "web servers", "question": "saturation", "region": "us-east-1", "namespace": "AWS/EC2",
                "metric": "CPUCreditBalance", "statistic": "Average", "dimensions": { "InstanceId": "i-1" },
            }])),
            "dashboard": output(json!("a-dashboard")),
        })
    }

    /// The same as a file.
    pub fn outputs_file(&self, world: &World) -> String {
        let name = format!("outputs-{}.json", self.name);
        world.write(&name, &self.outputs().to_string());
        world.path(&name).display().to_string()
    }
}

/// Starts a role of the binary; it says where it listens on its first line.
fn listening(words: &[String]) -> (Ending, String) {
    let mut command = Command::new(LIGHTMETER);
    let command = command.args(words).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().expect("the binary can be started");
    let stdout = process.stdout.take().expect("its output is a pipe");
    let ending = Ending(process);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
    let ready: Value = serde_json::from_str(&line)
        .unwrap_or_else(|error| panic!("{words:?} said {line:?}: {error}"));
    (ending, ready["listening"].as_str().expect("an address").to_owned())
}

/// The smallest experiment.
pub fn tiny() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny").display().to_string()
}

/// What was said.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
