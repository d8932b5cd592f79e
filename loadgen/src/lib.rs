//! Load and its record. Knows the app only by HTTP and by the population manifest that `photo-app seed` writes.
//!
//! Module map: `schedule` (planned start times, pure) -> `driver` (open loop over hyper) -> `recorder` (HdrHistograms in
//! microseconds) -> `record` (the run directory, which `reports` reads). `users` are the goose users, the second driver.

pub mod record;
pub mod record_io;
