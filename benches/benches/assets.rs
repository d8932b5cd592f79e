//! Where pictures live: put and get of a rendition and of an original, as local files and in the S3 stand-in.
//!
//! The stand-in is the `lightmeter` binary beside this bench's own; without it (build it with `cargo build --release -p lightmeter`)
//! its part is printed as skipped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use photo_app::assets::local::LocalAssets;
use photo_app::assets::s3::S3Assets;
use photo_app::assets::{AssetKey, Assets};
use photo_app::model::{PhotoId, PictureFormat, RenditionFormat, VersionId};
use tokio::runtime::Runtime;

const BUCKET: &str = "bench";

/// A rendition for a page and a phone's photo.
const OBJECTS: [(&str, AssetKey, usize); 2] = [
    (
        "rendition 100 KiB",
        AssetKey::Rendition {
            photo: PhotoId(1),
            version: VersionId(2),
            width: 640,
            format: RenditionFormat::Jpeg,
        },
        100 << 10,
    ),
    (
        "original 4 MiB",
        AssetKey::Original { photo: PhotoId(3), format: PictureFormat::Jpeg },
        4 << 20,
    ),
];

fn measure(criterion: &mut Criterion, backend: &str, assets: &dyn Assets, runtime: &Runtime) {
    let mut group = criterion.benchmark_group(format!("assets {backend}"));
    group.sample_size(20);
    for (name, key, length) in OBJECTS {
        let bytes = Bytes::from(vec![0xA5; length]);
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(BenchmarkId::new("put", name), |bencher| {
            bencher.to_async(runtime).iter(|| {
                let bytes = bytes.clone();
                async { assets.put(&key, bytes).await.expect("put") }
            });
        });
        runtime.block_on(assets.put(&key, bytes)).expect("put");
        group.bench_function(BenchmarkId::new("get", name), |bencher| {
            bencher.to_async(runtime).iter(|| async {
                let found = assets.get(&key).await.expect("get");
                assert_eq!(found.expect("it was put").len(), length);
            });
        });
    }
    group.finish();
}

fn local(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let assets = LocalAssets::open(folder.path(), "/assets").expect("it can be opened");
    measure(criterion, "local", &assets, &runtime);
}

/// A process that ends with its value.
struct Standin(Child);

impl Drop for Standin {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop and nobody to tell.
        if self.0.kill().is_ok() && self.0.wait().is_err() {
            eprintln!("the stand-in was stopped, but not seen to end");
        }
    }
}

/// `target/release/lightmeter`, seen from `target/release/deps/assets-...`.
fn binary() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let beside = own.ancestors().take(3).map(|folder| folder.join("lightmeter"));
    beside.into_iter().find(|path| path.is_file())
}

fn start(binary: &Path, folder: &Path) -> (Standin, String) {
    let mut command = Command::new(binary);
    command.args(["standin", "s3", "--bucket", BUCKET, "--data"]).arg(folder);
    let started = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn();
    let mut child = Standin(started.expect("the stand-in can be started"));
    let out = child.0.stdout.take().expect("its output is piped");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("it says where it listens");
    // {"listening":"127.0.0.1:40123"}
    let address = line.split('"').nth(3).expect("an address").to_owned();
    (child, format!("http://{address}"))
}

fn s3(criterion: &mut Criterion) {
    let Some(binary) = binary() else {
        eprintln!("skipped: assets s3 (no lightmeter binary beside this bench; build it first)");
        return;
    };
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_standin, endpoint) = start(&binary, folder.path());
    let public = format!("{endpoint}/{BUCKET}");
    let connected = runtime.block_on(S3Assets::connect(Some(&endpoint), BUCKET, &public));
    let assets = connected.expect("the stand-in can be reached");
    measure(criterion, "s3 stand-in", &assets, &runtime);
}

criterion_group!(all, local, s3);
criterion_main!(all);
