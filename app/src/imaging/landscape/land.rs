//! The kinds of country and their layers of land: where each ridge runs and how its slope is coloured.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::noise::{crests, lattice, line, line_octaves, plane, plane_octaves, smoothstep};
use super::palette::{Colour, Palette, blend, scale};

/// What lies under the sky.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Country {
    /// Mountains mirrored in a lake.
    Lake,
    /// Mountains behind a forest.
    Forest,
    /// Open sea with islands.
    Sea,
    /// Sand dunes.
    Dunes,
    /// Rolling fields.
    Fields,
    /// High peaks with snow.
    Peaks,
}

/// The picture of a layer's slope.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Surface {
    Rock { snow: f32 },
    Trees,
    Sand { lit: Colour, shade: Colour },
    Field { crop: Colour, furrows: f32 },
}

/// One range, hill or wood. Lengths in heights of the picture.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    seed: u32,
    /// Where the foot of the ridge lies.
    base: f32,
    /// How high it rises above that.
    rise: f32,
    /// Crests per height of the picture.
    frequency: f32,
    surface: Surface,
    colour: Colour,
    haze: Colour,
    /// How strongly the foot is veiled.
    mist: f32,
    /// Painted over the water instead of being mirrored in it.
    pub(super) foreground: bool,
}

impl Country {
    pub(super) fn pick(random: &mut ChaCha8Rng) -> Self {
        const ALL: [Country; 6] = [
            Country::Lake,
            Country::Forest,
            Country::Sea,
            Country::Dunes,
            Country::Fields,
            Country::Peaks,
        ];
        ALL[random.random_range(0..ALL.len())]
    }

    /// Where the sky meets the land.
    pub(super) fn horizon(self) -> f32 {
        match self {
            Country::Lake => 0.58,
            Country::Forest => 0.66,
            Country::Sea => 0.6,
            Country::Dunes => 0.56,
            Country::Fields => 0.56,
            Country::Peaks => 0.72,
        }
    }

    pub(super) fn water_line(self, random: &mut ChaCha8Rng, horizon: f32) -> Option<f32> {
        match self {
            Country::Lake => Some(horizon + random.random_range(0.03..0.07)),
            Country::Sea => Some(horizon),
            _ => None,
        }
    }

    /// The layers, back to front.
    pub(super) fn layers(
        self,
        random: &mut ChaCha8Rng,
        horizon: f32,
        palette: &Palette,
    ) -> Vec<Layer> {
        match self {
            Country::Lake => lake(random, horizon, palette),
            Country::Forest => forest(random, horizon, palette),
            Country::Sea => sea(random, horizon, palette),
            Country::Dunes => dunes(random, horizon, palette),
            Country::Fields => fields(random, horizon, palette),
            Country::Peaks => peaks(random, horizon, palette),
        }
    }
}

/// Dunes make their own near colours; greens have no place in them.
pub(super) fn over_sand(mut palette: Palette) -> Palette {
    let sand = if palette.stars { [62.0, 58.0, 78.0] } else { [196.0, 138.0, 84.0] };
    palette.middle = blend(palette.middle, sand, 0.85);
    palette.near = blend(palette.near, scale(sand, 0.42), 0.7);
    palette.haze = blend(palette.haze, sand, 0.3);
    palette
}

/// Colour of a layer `depth` of the way (0 far, 1 near) from the haze over the middle to the near land.
fn aerial(palette: &Palette, depth: f32) -> Colour {
    if depth < 0.5 {
        blend(palette.haze, palette.middle, 0.25 + depth * 1.5)
    } else {
        blend(palette.middle, palette.near, depth * 2.0 - 1.0)
    }
}

fn range(random: &mut ChaCha8Rng, palette: &Palette, depth: f32) -> Layer {
    Layer {
        seed: random.random(),
        base: 0.0,
        rise: 0.2,
        frequency: 2.0,
        surface: Surface::Rock { snow: 0.0 },
        colour: aerial(palette, depth),
        haze: palette.haze,
        mist: 0.75 * (1.0 - depth) + 0.08,
        foreground: false,
    }
}

fn lake(random: &mut ChaCha8Rng, horizon: f32, palette: &Palette) -> Vec<Layer> {
    let snow = if random.random_bool(0.6) { 0.5 } else { 0.0 };
    let mut layers: Vec<Layer> = (0..3)
        .map(|index| {
            let depth = index as f32 * 0.28 + 0.05;
            Layer {
                base: horizon + 0.035 * index as f32,
                rise: random.random_range(0.24..0.4) - 0.09 * index as f32,
                frequency: 1.3 + 0.6 * index as f32,
                surface: Surface::Rock { snow: if index < 2 { snow } else { 0.0 } },
                ..range(random, palette, depth)
            }
        })
        .collect();
    layers.push(Layer {
        base: horizon + 0.085,
        rise: 0.05,
        frequency: 1.2,
        surface: Surface::Trees,
        ..range(random, palette, 0.78)
    });
    if random.random_bool(0.6) {
        layers.push(Layer {
            base: random.random_range(1.0..1.04),
            rise: 0.14,
            frequency: 0.9,
            surface: Surface::Trees,
            foreground: true,
            ..range(random, palette, 1.0)
        });
    }
    layers
}

fn forest(random: &mut ChaCha8Rng, horizon: f32, palette: &Palette) -> Vec<Layer> {
    let mut layers: Vec<Layer> = (0..3)
        .map(|index| {
            let depth = index as f32 * 0.2 + 0.02;
            Layer {
                base: horizon + 0.02 * index as f32,
                rise: random.random_range(0.22..0.36) - 0.07 * index as f32,
                frequency: 1.4 + 0.5 * index as f32,
                ..range(random, palette, depth)
            }
        })
        .collect();
    for index in 0..4 {
        let depth = 0.5 + index as f32 * 0.165;
        layers.push(Layer {
            base: horizon + 0.075 * (index + 1) as f32,
            rise: 0.1 + 0.02 * index as f32,
            frequency: 1.5 - 0.2 * index as f32,
            surface: Surface::Trees,
            ..range(random, palette, depth)
        });
    }
    layers
}

fn sea(random: &mut ChaCha8Rng, horizon: f32, palette: &Palette) -> Vec<Layer> {
    let mut layers: Vec<Layer> = (0..random.random_range(1..3))
        .map(|index| {
            let depth = 0.12 + 0.25 * index as f32;
            Layer {
                // Low enough to be sea here and there: islands.
                base: horizon + 0.06,
                rise: random.random_range(0.12..0.2),
                frequency: 0.9 + 0.5 * index as f32,
                ..range(random, palette, depth)
            }
        })
        .collect();
    if random.random_bool(0.6) {
        layers.push(Layer {
            base: random.random_range(1.02..1.07),
            rise: 0.13,
            frequency: 0.7,
            surface: Surface::Trees,
            foreground: true,
            ..range(random, palette, 0.97)
        });
    }
    layers
}

fn dunes(random: &mut ChaCha8Rng, horizon: f32, palette: &Palette) -> Vec<Layer> {
    (0..5)
        .map(|index| {
            let depth = index as f32 / 4.0;
            let body = blend(palette.haze, palette.middle, 0.25 + 0.75 * depth);
            let lit = blend(body, palette.glow, 0.28);
            let shade = blend(body, palette.near, 0.3 + 0.42 * depth);
            Layer {
                base: horizon + 0.02 + 0.11 * index as f32,
                rise: 0.06 + 0.05 * index as f32,
                frequency: 1.3 - 0.16 * index as f32,
                surface: Surface::Sand { lit, shade },
                mist: 0.3 * (1.0 - depth),
                ..range(random, palette, depth)
            }
        })
        .collect()
}

fn fields(random: &mut ChaCha8Rng, horizon: f32, palette: &Palette) -> Vec<Layer> {
    const CROPS: [Colour; 5] = [
        [122.0, 152.0, 62.0],
        [206.0, 178.0, 84.0],
        [92.0, 128.0, 70.0],
        [168.0, 160.0, 78.0],
        [146.0, 112.0, 146.0],
    ];
    let mut layers = vec![
        Layer { base: horizon + 0.01, rise: 0.16, frequency: 1.3, ..range(random, palette, 0.12) },
        Layer { base: horizon + 0.03, rise: 0.09, frequency: 1.6, ..range(random, palette, 0.3) },
    ];
    for index in 0..4 {
        let depth = 0.3 + 0.2 * index as f32;
        let crop = CROPS[random.random_range(0..CROPS.len())];
        // The hour tints the crop: multiply with its light.
        let light: Colour =
            std::array::from_fn(|c| (palette.sky[2][c] * 0.6 + palette.middle[c] * 0.4) / 205.0);
        let tinted: Colour = std::array::from_fn(|c| (crop[c] * light[c]).min(245.0));
        // At night crops keep a trace of their colour under the moon.
        let tinted =
            if palette.stars { blend(scale(tinted, 0.62), palette.sky[1], 0.45) } else { tinted };
        layers.push(Layer {
            base: horizon + 0.06 + 0.1 * index as f32,
            rise: 0.07 + 0.02 * index as f32,
            frequency: 1.1 - 0.15 * index as f32,
            surface: Surface::Field {
                crop: blend(tinted, palette.near, 0.08 * index as f32),
                furrows: if random.random_bool(0.6) { 1.0 } else { 0.0 },
            },
            mist: 0.4 * (1.0 - depth),
            ..range(random, palette, depth)
        });
        if index == 1 || index == 3 {
            layers.push(Layer {
                base: horizon + 0.1 + 0.1 * index as f32,
                rise: 0.035,
                frequency: 1.0,
                surface: Surface::Trees,
                ..range(random, palette, 0.55 + 0.13 * index as f32)
            });
        }
    }
    layers
}

fn peaks(random: &mut ChaCha8Rng, horizon: f32, palette: &Palette) -> Vec<Layer> {
    let mut layers: Vec<Layer> = (0..5)
        .map(|index| {
            let depth = index as f32 / 5.0;
            Layer {
                base: horizon + 0.06 * index as f32,
                rise: random.random_range(0.36..0.5) - 0.055 * index as f32,
                frequency: 1.1 + 0.3 * index as f32,
                surface: Surface::Rock { snow: if index < 4 { 0.62 } else { 0.0 } },
                ..range(random, palette, depth)
            }
        })
        .collect();
    layers.push(Layer {
        base: 1.0,
        rise: 0.09,
        frequency: 1.3,
        surface: Surface::Trees,
        ..range(random, palette, 1.0)
    });
    layers
}

impl Layer {
    /// Height of the ridge at `x`, measured from the top of the picture.
    pub(super) fn ridge(&self, x: f32) -> f32 {
        let along = x * self.frequency;
        match self.surface {
            Surface::Rock { .. } => {
                self.base - self.rise * crests(self.seed, along + 7.0, 7, 0.47) * 1.25
                    + self.rise * 0.3
            }
            Surface::Trees => {
                let ground = self.base - self.rise * line_octaves(self.seed, along, 3, 0.4);
                ground - trees(self.seed, x, 0.35 * self.rise + 0.012)
            }
            Surface::Sand { .. } | Surface::Field { .. } => {
                self.base - self.rise * line_octaves(self.seed, along, 2, 0.25)
            }
        }
    }

    /// Colour at a point `depth` below the ridge.
    pub(super) fn colour(&self, x: f32, y: f32, depth: f32) -> Colour {
        let colour = match self.surface {
            Surface::Rock { snow } => self.rock(x, y, depth, snow),
            Surface::Trees => {
                let leaf = plane(self.seed ^ 5, x * 160.0, y * 110.0);
                scale(self.colour, 0.86 + 0.28 * leaf)
            }
            Surface::Sand { lit, shade } => self.sand(x, y, depth, lit, shade),
            Surface::Field { crop, furrows } => self.field(x, y, depth, crop, furrows),
        };
        let veil = smoothstep(0.0, self.rise * 1.1 + 0.05, depth);
        blend(colour, self.haze, veil * self.mist)
    }

    /// Gullies run down the slope, leaning one way; light comes from the side.
    fn rock(&self, x: f32, y: f32, depth: f32, snow: f32) -> Colour {
        let lean = x + 0.35 * depth * (line(self.seed ^ 9, x * 5.0) - 0.5);
        let gully = plane_octaves(self.seed ^ 3, lean * 16.0, y * 7.0, 3);
        let light = 0.8 + 0.42 * gully;
        let rock = scale(self.colour, light);
        if snow == 0.0 {
            return rock;
        }
        // Snow lies on the upper part of the range, deeper in the gullies, brighter where the sun stands.
        let altitude = (self.base - y) / self.rise;
        let cover = smoothstep(0.0, 0.16, altitude + (gully - 0.5) * 0.9 - (1.0 - snow) * 1.1);
        let white = blend([244.0, 246.0, 252.0], self.haze, 0.35);
        let bright = self.colour.iter().sum::<f32>() / (3.0 * 150.0);
        let white = scale(white, (0.35 + 0.65 * bright).clamp(0.3, 1.0) * (0.82 + 0.22 * gully));
        blend(rock, white, cover * 0.85)
    }

    /// A crest casts shade on one side; ripples lie across.
    fn sand(&self, x: f32, y: f32, depth: f32, lit: Colour, shade: Colour) -> Colour {
        let bend = x * self.frequency * 1.7 + depth * 2.2;
        let side = line_octaves(self.seed ^ 17, bend, 2, 0.3);
        let facing = smoothstep(0.4, 0.6, side);
        let ripple = line(self.seed ^ 23, (y * 90.0 + x * 14.0) + 4.0 * side) - 0.5;
        let base = blend(shade, lit, facing * (1.0 - 0.5 * smoothstep(0.0, 0.3, depth)));
        let sparkle = plane(self.seed ^ 29, x * 300.0, y * 300.0) - 0.5;
        scale(base, 1.0 + 0.05 * ripple + 0.05 * sparkle)
    }

    /// Furrows run towards a point behind the hill.
    fn field(&self, x: f32, y: f32, depth: f32, crop: Colour, furrows: f32) -> Colour {
        let vanish = lattice(self.seed, 3, 3) * 1.6 - 0.1;
        let near = depth + 0.05;
        let row = line(self.seed ^ 31, (x - vanish) / near * 9.0) - 0.5;
        let patch = plane_octaves(self.seed ^ 37, x * 6.0, y * 14.0, 3) - 0.5;
        let blade = plane(self.seed ^ 41, x * 190.0, y * 120.0) - 0.5;
        scale(crop, 1.0 + 0.24 * row * furrows + 0.3 * patch + 0.12 * blade)
    }
}

/// Height of the conifers at `x` above their ground: the tallest of the trees that stand near.
fn trees(seed: u32, x: f32, tallest: f32) -> f32 {
    let spacing = tallest * 0.3;
    let cell = (x / spacing).floor() as i32;
    let mut height = 0.0_f32;
    for index in cell - 2..=cell + 2 {
        let chance = |salt: u32| lattice(seed ^ salt, index, 1);
        let middle = (index as f32 + chance(11)) * spacing;
        let tall = tallest * (0.4 + 0.6 * chance(12));
        let half_width = tall * 0.2;
        let away = (x - middle).abs() / half_width;
        if away < 1.0 {
            // Saw-toothed sides: branches hang out beneath each step.
            let step = away * 6.0;
            let tooth = (step - step.floor()) * 0.09;
            height = height.max(tall * (1.0 - away + tooth).min(1.0));
        }
    }
    height
}
