//! Run directories to answers: the same input gives the same bytes.
//!
//! Module map: `stats` (pure functions on slices) -> `capacity` (was a rate held?) -> `findings` (verdicts and warnings as typed
//! values) -> `summary` (summary.json), `text` (figures as words), `charts` (a file per figure), `html` (the page), `csv`
//! (every series); `compare` puts two runs side by side. Nothing here reads a clock or draws without a fixed seed.

pub mod capacity;
pub mod findings;
pub mod stats;
pub mod summary;
pub mod text;

pub use capacity::{Capacity, Held, capacity_of_search, held};
pub use summary::{Summary, Verdict};
pub use text::one_screen;
