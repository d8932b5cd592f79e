//! Every sampling that a JPEG can claim: read right, or refused where libjpeg refuses it, never a wrong picture.
//!
//! No encoder writes most of them, so this one does: baseline and progressive, in one scan or a scan for each component, each block
//! nothing but its mean, on planes that rise evenly. Whatever the sampling, a pixel is then off by half a block of its plane at most.

use photo_app::imaging::{ImagingError, Limits, decode, probe};

/// Of no whole number of MCUs, of one, of less than one, and of more than are read together.
const SIZES: [(usize, usize); 5] = [(90, 70), (61, 45), (64, 64), (9, 5), (1_060, 20)];

/// A component's blocks in an MCU, across and down.
type Factors = (usize, usize);

/// What a plane holds at a pixel, 0 to 255: each component rises in a direction of its own, and falls again beyond 180 pixels.
fn level(component: usize, x: f64, y: f64) -> f64 {
    let x = ((x + 180.0).rem_euclid(360.0) - 180.0).abs();
    match component {
        0 => 60.0 + x,
        1 => 100.0 + 0.5 * y,
        2 => 160.0 - 0.4 * x,
        // The K of CMYK, inverted as Adobe's is: none.
        _ => 255.0,
    }
}

/// Entropy-coded bits: a code of four for each class of DC difference, then the difference.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        for bit in (0..bits).rev() {
            self.pending = self.pending << 1 | value >> bit & 1;
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.pending as u8);
                if self.pending as u8 == 0xFF {
                    self.bytes.push(0);
                }
                (self.pending, self.count) = (0, 0);
            }
        }
    }

    fn difference(&mut self, difference: i32) {
        let class = 32 - difference.unsigned_abs().leading_zeros();
        self.put(class, 4);
        let low = if difference < 0 { difference + (1 << class) - 1 } else { difference };
        self.put(low as u32, class);
    }
}

/// A picture: its components `together` in one scan, or each in its own, and its process.
#[derive(Debug)]
struct Kind {
    size: (usize, usize),
    components: Vec<Factors>,
    together: bool,
    progressive: bool,
}

impl Kind {
    fn most(&self) -> Factors {
        let most = |side: fn(&Factors) -> usize| self.components.iter().map(side).max();
        (most(|one| one.0).expect("some"), most(|one| one.1).expect("some"))
    }

    fn file(&self) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8];
        if self.components.len() == 4 {
            segment(&mut bytes, 0xEE, b"Adobe\0\x64\0\0\0\0\0");
        }
        segment(&mut bytes, 0xDB, &[&[0][..], &[8; 64]].concat());
        let [width, height] = [self.size.0 as u16, self.size.1 as u16].map(u16::to_be_bytes);
        let mut frame = [&[8][..], &height, &width, &[self.components.len() as u8]].concat();
        for (id, (across, down)) in (1..).zip(&self.components) {
            frame.extend([id, (across << 4 | down) as u8, 0]);
        }
        segment(&mut bytes, if self.progressive { 0xC2 } else { 0xC0 }, &frame);
        // Twelve codes of four bits for the differences; one of one bit, which ends a block.
        segment(
            &mut bytes,
            0xC4,
            &[&[0, 0, 0, 0, 12][..], &[0; 12], &Vec::from_iter(0..12)].concat(),
        );
        segment(&mut bytes, 0xC4, &[&[0x10, 1][..], &[0; 16]].concat());
        let all: Vec<usize> = (0..self.components.len()).collect();
        match self.together {
            true => self.scan(&mut bytes, &all),
            false => all.iter().for_each(|one| self.scan(&mut bytes, &[*one])),
        }
        bytes.extend([0xFF, 0xD9]);
        bytes
    }

    fn scan(&self, bytes: &mut Vec<u8>, which: &[usize]) {
        let mut header = vec![which.len() as u8];
        header.extend(which.iter().flat_map(|component| [*component as u8 + 1, 0]));
        // Of a progressive picture the scan of the means alone.
        header.extend(if self.progressive { [0, 0, 0] } else { [0, 63, 0] });
        segment(bytes, 0xDA, &header);
        let most = self.most();
        // The blocks of an MCU, and how many pixels it covers: a scan of one component has no MCUs but blocks.
        let alone = which.len() == 1;
        let blocks = |component: usize| if alone { (1, 1) } else { self.components[component] };
        let span = match *which {
            [one] => (8 * most.0 / self.components[one].0, 8 * most.1 / self.components[one].1),
            _ => (8 * most.0, 8 * most.1),
        };
        let mut bits = Bits::default();
        let mut before = vec![0; self.components.len()];
        for (row, column) in (0..self.size.1.div_ceil(span.1))
            .flat_map(|row| (0..self.size.0.div_ceil(span.0)).map(move |column| (row, column)))
        {
            for component in which {
                let (across, down) = blocks(*component);
                for (v, u) in (0..down).flat_map(|v| (0..across).map(move |u| (v, u))) {
                    let x = (column as f64 + (u as f64 + 0.5) / across as f64) * span.0 as f64;
                    let y = (row as f64 + (v as f64 + 0.5) / down as f64) * span.1 as f64;
                    let mean = level(*component, x, y).clamp(0.0, 255.0).round() as i32 - 128;
                    bits.difference(mean - std::mem::replace(&mut before[*component], mean));
                    if !self.progressive {
                        bits.put(0, 1);
                    }
                }
            }
        }
        bits.put(0x7F, 7);
        bytes.extend(bits.bytes);
    }
}

fn segment(bytes: &mut Vec<u8>, marker: u8, body: &[u8]) {
    bytes.extend([0xFF, marker]);
    bytes.extend((body.len() as u16 + 2).to_be_bytes());
    bytes.extend(body);
}

/// The largest and the mean error over all pixels, in levels.
fn errors(kind: &Kind) -> Result<(f64, f64), ImagingError> {
    let bytes = kind.file();
    let found = probe(&bytes, &Limits::default())?;
    let read = decode::decode(&bytes, &found, &Limits::default())?;
    let (mut worst, mut sum) = (0.0_f64, 0.0);
    for (x, y, pixel) in read.enumerate_pixels() {
        let at = |component: usize| level(component, f64::from(x) + 0.5, f64::from(y) + 0.5);
        let (luma, cb, cr) = (at(0), at(1) - 128.0, at(2) - 128.0);
        let wanted = match kind.components.len() {
            1 => [luma; 3],
            3 => [luma + 1.402 * cr, luma - 0.344_136 * cb - 0.714_136 * cr, luma + 1.772 * cb],
            _ => [at(0), at(1), at(2)],
        };
        for (wanted, got) in wanted.iter().zip(pixel.0) {
            let error = (wanted.clamp(0.0, 255.0) - f64::from(got)).abs();
            worst = worst.max(error);
            sum += error / f64::from(read.width() * read.height() * 3);
        }
    }
    Ok((worst, sum))
}

/// Whether a component has no whole fraction of another's samples: libjpeg and its kin refuse these, and so do we.
fn is_fractional(components: &[Factors]) -> bool {
    let most = components.iter().fold((1, 1), |most, one| (most.0.max(one.0), most.1.max(one.1)));
    components.iter().any(|one| most.0 % one.0 != 0 || most.1 % one.1 != 0)
}

#[test]
fn every_sampling_is_read_right_and_those_that_are_no_fraction_are_refused() {
    let factors: Vec<Factors> = (1..=4).flat_map(|x| (1..=4).map(move |y| (x, y))).collect();
    let mut kinds: Vec<Vec<Factors>> = factors.iter().map(|one| vec![*one]).collect();
    for luma in &factors {
        for chroma in &factors {
            kinds.push(vec![*luma, *chroma, *chroma]);
            kinds.push(vec![*luma, *chroma, *chroma, *luma]);
            kinds.push(vec![*luma, *luma, *luma, *chroma]);
            kinds.push(vec![*luma, *luma, *chroma]);
        }
    }
    let (mut read, mut wrong) = (0, Vec::new());
    let ways = [(true, false), (false, false), (true, true), (false, true)];
    for (size, (together, progressive)) in
        SIZES.iter().flat_map(|size| ways.map(move |way| (*size, way)))
    {
        for components in &kinds {
            let kind = Kind { size, components: components.clone(), together, progressive };
            match errors(&kind) {
                Ok((worst, mean)) => {
                    read += 1;
                    // Read right they are 30 and 20 at most (a sample may be wider than the picture); read wrong, 100 and more.
                    if worst > 50.0 || mean > 20.0 {
                        wrong.push(format!("{kind:?}: off by up to {worst:.0}"));
                    }
                    assert!(!is_fractional(components), "{kind:?} is no sampling");
                }
                Err(ImagingError::UnsupportedKind { .. }) => {
                    assert!(is_fractional(components), "{kind:?} is refused");
                }
                Err(other) => panic!("{kind:?}: {other}"),
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
    assert!(read > 5_000, "only {read} are read");
}
