//! How long and how often, per depth: the defaults in one table, which a TOML file may override value by value.
//!
//! Quick is bounded by ten minutes for all four experiments; standard by a lesson; thorough by patience. More trials
//! narrow the intervals with the square root of their number, longer trials carry higher percentiles (rule 10 wants
//! 100 samples beyond one).

use loadgen::record::Depth;

/// A value for each depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerDepth<T> {
    /// For a demonstration.
    pub quick: T,
    /// For a lesson.
    pub standard: T,
    /// For a publication.
    pub thorough: T,
}

impl<T> PerDepth<T> {
    /// The value of a depth.
    pub fn get(&self, depth: Depth) -> &T {
        match depth {
            Depth::Quick => &self.quick,
            Depth::Standard => &self.standard,
            Depth::Thorough => &self.thorough,
        }
    }
}

/// Each depth with its word.
pub const DEPTHS: [(&str, Depth); 3] =
    [("quick", Depth::Quick), ("standard", Depth::Standard), ("thorough", Depth::Thorough)];

/// The word of a depth.
pub fn word(depth: Depth) -> &'static str {
    match depth {
        Depth::Quick => "quick",
        Depth::Standard => "standard",
        Depth::Thorough => "thorough",
    }
}

/// People and photos that every stack of an experiment starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Population {
    /// People.
    pub people: u32,
    /// Photos.
    pub photos: u32,
    /// Different pictures that the photos share.
    pub pictures: u32,
    /// How many others a person follows, on average.
    pub follows_mean: u32,
}

/// The populations unless a file says otherwise.
pub const POPULATIONS: PerDepth<Population> = PerDepth {
    quick: Population { people: 150, photos: 600, pictures: 12, follows_mean: 20 },
    standard: Population { people: 1_000, photos: 10_000, pictures: 36, follows_mean: 20 },
    thorough: Population { people: 5_000, photos: 50_000, pictures: 36, follows_mean: 20 },
};

/// Lengths of trials in milliseconds, and how many of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Lengths {
    /// Warming each stack.
    pub warm_up_ms: u64,
    /// A one-user trial.
    pub performance_ms: u64,
    /// Pairs of one-user trials per arrow.
    pub performance_pairs: u32,
    /// Pairs of a variant against itself.
    pub aa_pairs: u32,
    /// The overdriving trial that finds the throughput.
    pub probe_ms: u64,
    /// A step of the latency-against-load curve.
    pub level_ms: u64,
    /// The steps of that curve, as fractions of the probe's throughput.
    pub level_fractions: Vec<f64>,
    /// A step of a capacity search.
    pub capacity_ms: u64,
    /// Steps of a capacity search.
    pub capacity_steps: u32,
    /// Pairs of capacity searches at the largest count.
    pub capacity_pairs: u32,
    /// Capacity searches at each count below the largest.
    pub middle_searches: u32,
}

/// The lengths unless a file says otherwise.
pub fn default_lengths() -> PerDepth<Lengths> {
    PerDepth {
        quick: Lengths {
            warm_up_ms: 1_000,
            performance_ms: 1_000,
            performance_pairs: 6,
            aa_pairs: 2,
            probe_ms: 1_200,
            level_ms: 1_200,
            level_fractions: vec![0.3, 0.6, 0.8, 1.0],
            capacity_ms: 1_500,
            capacity_steps: 2,
            capacity_pairs: 3,
            middle_searches: 1,
        },
        standard: Lengths {
            warm_up_ms: 5_000,
            performance_ms: 5_000,
            performance_pairs: 12,
            aa_pairs: 4,
            probe_ms: 4_000,
            level_ms: 10_000,
            level_fractions: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1],
            capacity_ms: 10_000,
            capacity_steps: 5,
            capacity_pairs: 5,
            middle_searches: 2,
        },
        thorough: Lengths {
            warm_up_ms: 15_000,
            performance_ms: 20_000,
            performance_pairs: 24,
            aa_pairs: 8,
            probe_ms: 10_000,
            level_ms: 60_000,
            level_fractions: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1],
            capacity_ms: 60_000,
            capacity_steps: 6,
            capacity_pairs: 8,
            middle_searches: 4,
        },
    }
}

/// The share of requests that must meet the bound unless a file says otherwise: a quick trial has too few requests
/// for a 99th percentile.
pub const SLO_QUANTILES: PerDepth<f64> = PerDepth { quick: 0.95, standard: 0.99, thorough: 0.99 };

/// The counts of the axis unless a file says otherwise. Six counts let the scalability law be fitted.
pub fn default_counts() -> PerDepth<Vec<u32>> {
    PerDepth {
        quick: vec![1, 2, 4],
        standard: vec![1, 2, 3, 4, 6, 8],
        thorough: vec![1, 2, 3, 4, 6, 8],
    }
}
