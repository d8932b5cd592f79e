//! `cargo fuzz` hands its bytes to `targets::jpeg_scaled`.
#![no_main]

use photo_app_fuzz::{catch_ours, targets};

libfuzzer_sys::fuzz_target!(init: catch_ours(), |bytes: &[u8]| targets::jpeg_scaled(bytes));
