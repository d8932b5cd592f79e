//! Planned start times as a pure function of shape, arrivals, seed and index. No clock, no I/O.
//!
//! Every schedule is a unit process stretched by a rate. The unit process counts "how many requests are due":
//! 0, 1, 2, ... for even arrivals, the sum of exponential gaps (ChaCha12 from the seed) for Poisson arrivals.
//! A shape gives the rate over time; request i is due when the integral of the rate reaches the i-th unit.
//! The driver (`driver`) follows these times whatever the server does.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// How the rate changes over the trial, in requests per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// The same rate throughout.
    Constant {
        /// Requests per second.
        rate_per_s: f64,
    },
    /// From one rate to another in a straight line over the whole duration.
    Ramp {
        /// Requests per second at the start.
        from_per_s: f64,
        /// Requests per second at the end.
        to_per_s: f64,
    },
    /// One rate, with a burst of another.
    Spike {
        /// Requests per second outside the burst.
        base_per_s: f64,
        /// Requests per second within it.
        spike_per_s: f64,
        /// When the burst begins.
        from: Duration,
        /// When it ends.
        until: Duration,
    },
}

/// How requests are spread around the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// At even distances; the first at once.
    Even,
    /// Independent of each other, as from many people: exponential gaps.
    Poisson,
}

/// A schedule: a shape and the arrivals around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The rate over time.
    pub shape: Shape,
    /// The spread around it.
    pub arrivals: Arrivals,
}

impl Schedule {
    /// Even distances at one rate.
    pub fn constant(rate_per_s: f64) -> Self {
        Self { shape: Shape::Constant { rate_per_s }, arrivals: Arrivals::Even }
    }

    /// Poisson arrivals at one rate.
    pub fn poisson(rate_per_s: f64) -> Self {
        Self { shape: Shape::Constant { rate_per_s }, arrivals: Arrivals::Poisson }
    }

    /// The planned starts within `duration`, ascending, as times since the first moment of the trial.
    pub fn starts(&self, seed: u64, duration: Duration) -> Starts {
        Starts {
            schedule: *self,
            duration_s: duration.as_secs_f64(),
            random: ChaCha12Rng::seed_from_u64(seed),
            index: 0,
            units: 0.0,
        }
    }

    /// Requests expected within `duration`: the integral of the rate.
    pub fn expected_count(&self, duration: Duration) -> f64 {
        self.shape.units_until(duration.as_secs_f64(), duration.as_secs_f64())
    }

    /// The mean rate over `duration`.
    pub fn mean_rate_per_s(&self, duration: Duration) -> f64 {
        self.expected_count(duration) / duration.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Whether every rate is a number not below zero and at least one is above.
    pub fn is_valid(&self) -> bool {
        let rates = match self.shape {
            Shape::Constant { rate_per_s } => [rate_per_s, rate_per_s],
            Shape::Ramp { from_per_s, to_per_s } => [from_per_s, to_per_s],
            Shape::Spike { base_per_s, spike_per_s, .. } => [base_per_s, spike_per_s],
        };
        rates.iter().all(|rate| rate.is_finite() && *rate >= 0.0) && rates.iter().any(|r| *r > 0.0)
    }
}

impl Shape {
    /// The integral of the rate from 0 to `at_s` of a trial that lasts `duration_s`.
    fn units_until(&self, at_s: f64, duration_s: f64) -> f64 {
        match *self {
            Shape::Constant { rate_per_s } => rate_per_s * at_s,
            Shape::Ramp { from_per_s, to_per_s } => {
                from_per_s * at_s + (to_per_s - from_per_s) * at_s * at_s / (2.0 * duration_s)
            }
            Shape::Spike { base_per_s, spike_per_s, from, until } => {
                let inside = (at_s.min(until.as_secs_f64()) - from.as_secs_f64()).max(0.0);
                base_per_s * (at_s - inside) + spike_per_s * inside
            }
        }
    }

    /// The inverse of [`Shape::units_until`]: when `units` requests are due. Infinite when never.
    fn time_of(&self, units: f64, duration_s: f64) -> f64 {
        match *self {
            Shape::Constant { rate_per_s } => divide(units, rate_per_s),
            Shape::Ramp { from_per_s, to_per_s } => {
                // slope/2 t^2 + from t - units = 0, in the form that stays exact for a slope near zero.
                let slope = (to_per_s - from_per_s) / duration_s;
                let discriminant = from_per_s * from_per_s + 2.0 * slope * units;
                if discriminant < 0.0 {
                    return f64::INFINITY;
                }
                if units == 0.0 {
                    0.0
                } else {
                    divide(2.0 * units, from_per_s + discriminant.sqrt())
                }
            }
            Shape::Spike { base_per_s, spike_per_s, from, until } => {
                let (from, until) = (from.as_secs_f64(), until.as_secs_f64());
                let before = base_per_s * from;
                let within = spike_per_s * (until - from).max(0.0);
                if units < before {
                    divide(units, base_per_s)
                } else if units < before + within {
                    from + divide(units - before, spike_per_s)
                } else {
                    until.max(from) + divide(units - before - within, base_per_s)
                }
            }
        }
    }
}

/// 0 / 0 is "at once", x / 0 is "never".
fn divide(units: f64, rate: f64) -> f64 {
    if units == 0.0 { 0.0 } else { units / rate }
}

/// The iterator over planned starts.
#[derive(Debug, Clone)]
pub struct Starts {
    schedule: Schedule,
    duration_s: f64,
    random: ChaCha12Rng,
    index: u64,
    units: f64,
}

impl Iterator for Starts {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        match self.schedule.arrivals {
            // From the index, not by adding up: the millionth start is as exact as the first.
            Arrivals::Even => self.units = self.index as f64,
            // Inversion: -ln(1 - u) with u in [0, 1) is exponential with mean 1, and never infinite.
            Arrivals::Poisson => self.units -= (1.0 - self.random.random::<f64>()).ln(),
        }
        self.index += 1;
        let at_s = self.schedule.shape.time_of(self.units, self.duration_s);
        (at_s < self.duration_s).then(|| Duration::from_secs_f64(at_s))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_schedule() -> impl Strategy<Value = Schedule> {
        let rate = 1.0..2_000.0_f64;
        let shape = prop_oneof![
            rate.clone().prop_map(|rate_per_s| Shape::Constant { rate_per_s }),
            (0.0..500.0_f64, rate.clone())
                .prop_map(|(from_per_s, to_per_s)| Shape::Ramp { from_per_s, to_per_s }),
            (rate.clone(), 0.0..100.0_f64)
                .prop_map(|(from_per_s, to_per_s)| Shape::Ramp { from_per_s, to_per_s }),
            (0.0..500.0_f64, rate, 0_u64..3_000, 0_u64..3_000).prop_map(
                |(base, spike, from, length)| {
                    Shape::Spike {
                        base_per_s: base,
                        spike_per_s: spike,
                        from: Duration::from_millis(from),
                        until: Duration::from_millis(from + length),
                    }
                }
            ),
        ];
        let arrivals = prop_oneof![Just(Arrivals::Even), Just(Arrivals::Poisson)];
        (shape, arrivals).prop_map(|(shape, arrivals)| Schedule { shape, arrivals })
    }

    proptest! {
        #[test]
        fn starts_ascend_within_the_duration_and_repeat(schedule in any_schedule(), seed: u64) {
            let duration = Duration::from_secs(4);
            let starts: Vec<_> = schedule.starts(seed, duration).collect();
            prop_assert!(starts.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(starts.iter().all(|start| *start < duration));
            prop_assert_eq!(&starts, &schedule.starts(seed, duration).collect::<Vec<_>>());
        }

        #[test]
        fn the_count_is_the_integral_of_the_rate(schedule in any_schedule(), seed: u64) {
            let duration = Duration::from_secs(4);
            let expected = schedule.expected_count(duration);
            let count = schedule.starts(seed, duration).count() as f64;
            // A Poisson count has the standard deviation sqrt(n); six of them fail once in 5e8.
            let room = match schedule.arrivals {
                Arrivals::Even => 1.5,
                Arrivals::Poisson => 6.0 * expected.sqrt() + 6.0,
            };
            prop_assert!((count - expected).abs() <= room, "{count} starts, {expected} expected");
        }

        #[test]
        fn the_time_of_a_unit_is_the_inverse_of_the_integral(schedule in any_schedule(), part in 0.0..1.0_f64) {
            let units = schedule.expected_count(Duration::from_secs(4)) * part;
            let at = schedule.shape.time_of(units, 4.0);
            let back = schedule.shape.units_until(at, 4.0);
            prop_assert!((back - units).abs() < 1e-6 * units.max(1.0), "{back} against {units}");
        }
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        // Kolmogorov-Smirnov against 1 - exp(-x); for n = 20,000 the 0.1 % bound is 1.95 / sqrt(n) = 0.0138.
        let starts: Vec<_> =
            Schedule::poisson(1_000.0).starts(42, Duration::from_secs(20)).collect();
        let mut gaps: Vec<f64> =
            starts.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1_000.0).collect();
        gaps.sort_by(f64::total_cmp);
        let count = gaps.len() as f64;
        let distance = gaps.iter().enumerate().map(|(rank, gap)| {
            ((1.0 - (-gap).exp()) - (rank as f64 + 0.5) / count).abs() + 0.5 / count
        });
        let largest = distance.fold(0.0, f64::max);
        assert!(largest < 1.95 / count.sqrt(), "distance {largest} over {count} gaps");
    }

    #[test]
    fn a_schedule_without_a_positive_rate_is_not_valid() {
        assert!(!Schedule::constant(0.0).is_valid());
        assert!(!Schedule::poisson(f64::NAN).is_valid());
        assert!(!Schedule::poisson(-1.0).is_valid());
        assert!(Schedule::poisson(0.5).is_valid());
    }
}
