//! Writes the first files of every target below a folder: `cargo run --no-default-features --example seeds -- corpus`.

use std::path::Path;
use std::{env, fs, io};

use photo_app_fuzz::seeds;

/// As `targets::ALL` has them, which this program is built without.
const TARGETS: [&str; 4] = ["decode", "exif", "pipeline", "jpeg_scaled"];

fn main() -> io::Result<()> {
    let Some(folder) = env::args().nth(1) else {
        return Err(io::Error::other("usage: seeds FOLDER"));
    };
    for target in TARGETS {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        let files = seeds::corpus(target);
        for (name, bytes) in &files {
            fs::write(folder.join(name), bytes)?;
        }
        println!("{}: {} seeds", folder.display(), files.len());
    }
    Ok(())
}
