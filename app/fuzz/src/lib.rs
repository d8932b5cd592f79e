//! What the fuzz targets and the seed writer share. `targets` has the bodies of the targets, `seeds` the files they begin with; both
//! are included by `app/tests/golden/fuzzing.rs` as well, which is what keeps them from rotting.
//!
//! Of the app only the imaging room and the words it uses are compiled, from where they lie: with its stores and its AWS clients the
//! app would take ten minutes under the sanitizer, and again for every change.

pub mod seeds;
#[cfg(feature = "targets")]
pub mod targets;

#[cfg(feature = "targets")]
#[path = "../../src/imaging/mod.rs"]
pub mod imaging;
#[cfg(feature = "targets")]
#[path = "../../src/model/mod.rs"]
pub mod model;

// `targets` names the room as the tests do.
#[cfg(feature = "targets")]
extern crate self as photo_app;

/// Makes a panic of ours end the process, caught or not, and lets those of the decoders pass that `imaging` catches (`decode`,
/// `profile`): libFuzzer's own hook would call them a finding. One that nobody catches still is one, since libFuzzer ends the
/// process when it leaves the target.
pub fn catch_ours() {
    std::panic::set_hook(Box::new(|panic| {
        let ours = panic.location().is_some_and(|place| place.file().contains("/src/imaging/"));
        eprintln!("{panic}");
        if ours {
            std::process::abort();
        }
    }));
}
