//! Load and its record. Knows the app only by HTTP and by the population manifest that `photo-app seed` writes.
//!
//! Module map: `schedule` (planned start times, pure) -> `driver` (open loop over hyper) -> `recorder` (latencies
//! into HdrHistograms, microseconds) -> `record` (the run directory's types) -> `record_io` (its files, which
//! `reports` reads). `population` is whom and what the load touches; `users` are the goose users, the
//! second driver, which find their own pace. `form` encodes what both send, `causes` walks an error; `stop` hears the signals that end them.

mod causes;
pub mod driver;
mod form;
pub mod population;
pub mod record;
pub mod record_io;
pub mod recorder;
pub mod schedule;
pub mod stop;
#[cfg(feature = "users")]
pub mod users;
