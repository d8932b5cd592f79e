//! The fuzz targets (`app/fuzz`) over their seeds: what `make fuzz` begins with is held by every test run, and cannot rot.

#[path = "../../fuzz/src/seeds.rs"]
pub mod seeds;
#[path = "../../fuzz/src/targets.rs"]
mod targets;

use photo_app::imaging::jpeg::Frame;
use photo_app::imaging::probe::probe_start;
use photo_app::imaging::{decode, probe};
use photo_app::model::PictureFormat;

#[test]
fn every_target_takes_all_its_seeds() {
    for (target, run) in targets::ALL {
        let files = seeds::corpus(target);
        assert!(files.len() >= 50, "{target} has only {} seeds", files.len());
        for (name, bytes) in files {
            println!("{target} {name}");
            run(&bytes);
        }
    }
}

/// A seed that is refused at once leads a fuzzer nowhere: nearly all are pictures, and those that are not are meant so.
#[test]
fn seeds_are_the_pictures_that_their_names_say() {
    let mut wrong = Vec::new();
    for (name, bytes) in seeds::pictures() {
        let read = probe(&bytes, &targets::LIMITS)
            .and_then(|found| decode::decode(&bytes, &found, &targets::LIMITS).map(|_| found));
        let broken = ["-cut.", "claims-", "scans"].iter().any(|word| name.contains(word));
        if read.is_err() != broken {
            wrong.push(format!("{name}: {read:?}"));
        }
        if let Ok(found) = read {
            let ending = match found.format {
                PictureFormat::Jpeg => ".jpg",
                PictureFormat::Png => ".png",
                PictureFormat::Webp => ".webp",
            };
            assert!(name.ends_with(ending), "{name}");
            if name.starts_with("orientation") && !name.starts_with("orientation-1") {
                assert_ne!(found.orientation, Default::default(), "{name}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Uploads that lie in the object store are judged by their beginning: it may leave the question open, but never answers another way than
/// the whole file would.
#[test]
fn the_beginning_of_a_file_is_judged_as_the_whole() {
    let mut answered = 0;
    for (name, bytes) in seeds::pictures() {
        let whole = probe(&bytes, &targets::LIMITS);
        // Each length up to 1 KiB, where headers are, and then some.
        let lengths = (0..bytes.len()).filter(|length| *length < 1_024 || length % 997 == 0);
        for length in lengths {
            if let Some(found) = probe_start(&bytes[..length], &targets::LIMITS) {
                assert_eq!(found, whole, "{name}, the first {length} bytes");
                answered += 1;
            }
        }
        let format = whole.as_ref().ok().map(|found| found.format);
        let has_end = !name.contains("-cut.");
        if has_end && matches!(format, Some(PictureFormat::Jpeg | PictureFormat::Png)) {
            let nearly = &bytes[..bytes.len() - 1];
            assert_eq!(probe_start(nearly, &targets::LIMITS), Some(whole), "{name}");
        }
    }
    assert!(answered > 1_000, "only {answered} beginnings were enough");
}

#[test]
fn the_scaled_decoder_has_seeds_of_its_own() {
    let seeds = seeds::corpus("jpeg_scaled");
    let read = seeds.iter().filter(|(_, bytes)| Frame::read(bytes).is_some()).count();
    assert!(read >= 30, "only {read} of {} are for it", seeds.len());
}
