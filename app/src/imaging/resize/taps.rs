//! Which pixels of one side make each new one, and with what weights.

/// A side before and after, and how far apart the new pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    /// Pixels there were.
    pub from: usize,
    /// New ones.
    pub to: usize,
    /// Old pixels for each new one, as a fraction. Not always `from / to`: the last sample of chroma at half size may be for a single pixel of
    /// an odd number, and then reaches beyond the picture.
    pub step: (usize, usize),
    /// It is the first new pixel that reaches beyond the picture, by half of itself.
    pub begins_outside: bool,
}

impl Side {
    /// All of the old side becomes all of the new one.
    pub fn whole(from: usize, to: usize) -> Self {
        Self { from, to, step: (from, to), begins_outside: false }
    }
}

/// What makes the pixels of one side.
#[derive(Debug)]
pub(super) struct Taps {
    pub side: Side,
    /// Pixels that make one.
    pub count: usize,
    /// The first of them, for each new pixel.
    pub starts: Vec<usize>,
    /// Their weights, times 32,768, for each new pixel.
    pub weights: Vec<i16>,
}

impl Taps {
    /// The Hamming filter, as wide as the larger ones of old and new pixels. Where it reaches beyond the picture, what is
    /// left of it counts as all of it.
    pub fn new(side: Side) -> Self {
        let Side { from, to, step, begins_outside } = side;
        let scale = step.0 as f64 / step.1 as f64;
        let reach = scale.max(1.0);
        let count = ((2.0 * reach).ceil() as usize).min(from);
        let begin = if begins_outside { -0.5 } else { 0.0 };
        let mut taps = Self { side, count, starts: Vec::with_capacity(to), weights: Vec::new() };
        taps.weights.reserve(to * count);
        for place in 0..to {
            let middle = (place as f64 + 0.5 + begin) * scale;
            let start = (middle - reach + 0.5).floor().max(0.0) as usize;
            let start = start.min(from - count);
            let weights: Vec<f64> = (start..start + count)
                .map(|at| hamming((at as f64 + 0.5 - middle) / reach))
                .collect();
            taps.starts.push(start);
            taps.weights.extend(fixed(&weights));
        }
        taps
    }

    pub fn of(&self, place: usize) -> (usize, &[i16]) {
        (self.starts[place], &self.weights[place * self.count..][..self.count])
    }
}

/// sin(pi x) / (pi x), under Hamming's window.
fn hamming(x: f64) -> f64 {
    let turn = std::f64::consts::PI * x;
    match x.abs() {
        0.0 => 1.0,
        far if far >= 1.0 => 0.0,
        _ => turn.sin() / turn * (0.54 + 0.46 * turn.cos()),
    }
}

/// Weights that add up to exactly 32,768 (a single one to one less, which is what fits): the largest one makes up for rounding.
fn fixed(weights: &[f64]) -> Vec<i16> {
    let sum: f64 = weights.iter().sum();
    let mut fixed: Vec<i32> =
        weights.iter().map(|weight| (weight / sum * 32_768.0).round() as i32).collect();
    let missing = 32_768 - fixed.iter().sum::<i32>();
    if let Some(largest) = fixed.iter_mut().max() {
        *largest += missing;
    }
    fixed.into_iter().map(|weight| weight.min(i32::from(i16::MAX)) as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_and_stay_inside() {
        for (from, to) in [(1, 1), (2, 1), (3, 2), (8, 8), (9, 8), (3_000, 2_048), (4_000, 160)] {
            let taps = Taps::new(Side::whole(from, to));
            for place in 0..to {
                let (start, weights) = taps.of(place);
                assert!(start + weights.len() <= from, "{from} to {to}: {place}");
                let sum: i32 = weights.iter().map(|weight| i32::from(*weight)).sum();
                assert!((32_767..=32_768).contains(&sum), "{from} to {to}: {place} has {sum}");
            }
        }
    }

    #[test]
    fn no_weight_is_negative() {
        // Up to the ratio from which there is a picture in between.
        for (from, to) in (1..=8).flat_map(|to| (to..=256 * to).map(move |from| (from, to))) {
            let taps = Taps::new(Side::whole(from, to));
            assert!(taps.weights.iter().all(|weight| *weight >= 0), "{from} to {to}");
        }
    }

    #[test]
    fn what_is_as_large_stays() {
        let taps = Taps::new(Side::whole(5, 5));
        for place in 0..5 {
            let (start, weights) = taps.of(place);
            let all: Vec<usize> = (0..weights.len()).filter(|at| weights[*at] != 0).collect();
            assert_eq!(all.len(), 1);
            assert_eq!(start + all[0], place);
        }
    }
}
