//! What request i of a stream is: a pure function of (seed, stream, i), so that every stack gets the same requests
//! whatever happened before. ChaCha gives each index a stream of random numbers of its own; no state is carried on.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::population::Population;

/// Apart enough that (seed, stream) and (seed + 1, stream - 1) do not meet: 2^64 divided by the golden ratio.
const STREAM_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Everything that is decided about one request. All of it is drawn for every request, used or not, so that a
/// change of the mix does not change who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// Index into the stream's operations.
    pub(super) operation: usize,
    /// Index into the targets. They take turns, from one that the seed chose: a short trial with one user in it would
    /// otherwise miss a region now and then, and a median over regions would depend on which.
    pub(super) target: usize,
    /// Index into the people; none when there are none.
    pub(super) person: Option<usize>,
    /// Index into the photos, popular ones more often; none when there are none.
    pub(super) photo: Option<usize>,
    /// Free bits: on or off, the text of a comment, which picture.
    pub(super) bits: u64,
}

/// The choices of one stream of requests.
pub(super) struct Choices {
    base: ChaCha12Rng,
    cumulative: Vec<f64>,
    target_first: u64,
    target_count: usize,
    people_max: usize,
    in_turns: bool,
}

/// The golden ratio's fraction: steps of this size visit every part of the unit interval as evenly as steps can.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// The seed of a stream's schedule and choices: stream 0 is the main load, 1 and up run in the background.
pub(super) fn stream_seed(seed: u64, stream: u64) -> u64 {
    seed.wrapping_add(stream.wrapping_mul(STREAM_STEP))
}

impl Choices {
    /// `weights` has at least one positive weight.
    pub(super) fn new(seed: u64, weights: &[f64], target_count: usize, people_max: usize) -> Self {
        let mut sum = 0.0;
        let cumulative = weights.iter().map(|weight| {
            sum += weight;
            sum
        });
        let cumulative = cumulative.collect();
        let base = ChaCha12Rng::seed_from_u64(seed);
        let target_first = u64::from(base.clone().next_u32());
        Self { base, cumulative, target_first, target_count, people_max, in_turns: false }
    }

    /// The same with operations that take turns in proportion to their weights, each in all regions before the next: for one
    /// user, whose few requests must not differ in kind from one trial to the other.
    pub(super) fn in_turns(self) -> Self {
        Self { in_turns: true, ..self }
    }

    /// The choice for one index.
    pub(super) fn of(&self, index: u64, population: &Population) -> Choice {
        let mut random = self.base.clone();
        // Stream 0 belongs to the schedule.
        random.set_stream(index + 1);
        let drawn = random.random::<f64>();
        let share = if self.in_turns { self.turn(index) } else { drawn };
        let point = share * self.cumulative.last().copied().unwrap_or(0.0);
        let operation = self.cumulative.partition_point(|sum| *sum <= point);
        let target = ((self.target_first + index) % self.target_count as u64) as usize;
        let person = population.choose_person(&mut random, self.people_max);
        let photo = population.choose_photo(&mut random);
        let bits = random.next_u64();
        Choice { operation: operation.min(self.cumulative.len() - 1), target, person, photo, bits }
    }

    /// Where in the unit interval the operation of this index lies.
    fn turn(&self, index: u64) -> f64 {
        let round = index / self.target_count as u64;
        (round as f64 * GOLDEN).fract()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::{Person, PhotoEntry};

    fn population() -> Population {
        let person = |index: u32| Person {
            id: index.to_string(),
            name: format!("p{index}"),
            password: String::new(),
            cookie: None,
            following_count: 1,
        };
        let photo = |index: u32| PhotoEntry { id: index.to_string(), author: "p1".to_owned() };
        Population::from_parts(1, (0..50).map(person).collect(), (0..100).map(photo).collect())
    }

    #[test]
    fn a_choice_depends_on_seed_and_index_alone() {
        let population = population();
        let one = Choices::new(7, &[1.0, 2.0], 3, 20);
        let other = Choices::new(7, &[1.0, 2.0], 3, 20);
        let backwards: Vec<_> = (0..200).rev().map(|index| other.of(index, &population)).collect();
        for (index, choice) in (0..200).zip(backwards.iter().rev()) {
            assert_eq!(one.of(index, &population), *choice);
        }
        let next = Choices::new(stream_seed(7, 1), &[1.0, 2.0], 3, 20);
        assert!((0..20).any(|index| one.of(index, &population) != next.of(index, &population)));
    }

    #[test]
    fn in_turns_each_operation_visits_all_targets_and_has_its_share_at_any_time() {
        let population = population();
        let choices = Choices::new(3, &[0.6, 0.4], 3, 20).in_turns();
        let drawn: Vec<_> = (0..300).map(|index| choices.of(index, &population)).collect();
        for round in drawn.chunks(3) {
            assert!(round.iter().all(|choice| choice.operation == round[0].operation));
            assert_eq!(round.iter().map(|choice| choice.target).sum::<usize>(), 3);
        }
        for rounds in 1..100 {
            let first = drawn[..3 * rounds].iter().filter(|choice| choice.operation == 0).count();
            assert!((first as f64 / 3.0 - 0.6 * rounds as f64).abs() < 1.5, "{first} in {rounds}");
        }
    }

    #[test]
    fn weights_targets_and_people_are_respected() {
        let population = population();
        let choices = Choices::new(1, &[3.0, 0.0, 1.0], 2, 20);
        let drawn: Vec<_> = (0..4_000).map(|index| choices.of(index, &population)).collect();
        let count = |operation| drawn.iter().filter(|choice| choice.operation == operation).count();
        assert!((2_850..3_150).contains(&count(0)), "{}", count(0));
        assert_eq!(count(1), 0);
        assert!(drawn.windows(2).all(|two| two[0].target + two[1].target == 1), "they take turns");
        assert!(drawn.iter().all(|choice| choice.person.is_some_and(|person| person < 20)));
        assert!(drawn.iter().any(|choice| choice.photo.is_some_and(|photo| photo > 50)));
    }
}
