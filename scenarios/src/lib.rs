//! The front door as a library: experiments as data, the plan of trials, the cluster they run on, and the commands.

pub mod cluster;
