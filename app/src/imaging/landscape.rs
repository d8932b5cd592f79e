//! Landscapes painted from a seed: pictures for the seeded population, the benches and the tests.
//!
//! The same seed gives the same landscape at every size. A scene is an hour (`palette`), a kind of country and a handful of
//! numbers; it is painted from the sky down: gradient, disc with glow, stars, clouds, then layers of land from far to near, each
//! fading into the haze (aerial perspective), then water that mirrors what stands above it. `noise` draws the ridges.
//! A trace of grain keeps the gradients from banding and the files as hard to compress as photographs.

mod land;
mod noise;
mod palette;

use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use self::land::{Country, Layer};
use self::noise::{lattice, mix, plane_octaves, smoothstep};
use self::palette::{Colour, PALETTES, Palette, blend, scale, screen};

/// Paints the landscape of this seed; sizes of 0 count as 1.
pub fn paint(seed: u64, width: u32, height: u32) -> RgbImage {
    let scene = Scene::new(seed, width.max(1), height.max(1));
    scene.paint()
}

/// Everything that the seed decides. Lengths are in heights of the picture, from the top left.
struct Scene {
    seed: u32,
    width: u32,
    height: u32,
    palette: Palette,
    horizon: f32,
    disc: (f32, f32),
    disc_radius: f32,
    cloudiness: f32,
    /// Back to front.
    layers: Vec<Layer>,
    water: Option<Water>,
}

/// A lake or the sea: everything below `line` mirrors what is above it.
struct Water {
    line: f32,
    /// How far waves displace the mirror image.
    roughness: f32,
    tint: Colour,
}

impl Scene {
    fn new(seed: u64, width: u32, height: u32) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut palette = PALETTES[random.random_range(0..PALETTES.len())];
        let country = Country::pick(&mut random);
        if country == Country::Dunes {
            palette = land::over_sand(palette);
        }
        let horizon = country.horizon() + random.random_range(-0.05..0.05);
        let aspect = width as f32 / height as f32;
        let across = random.random_range(0.18..0.82);
        let disc_y = horizon * (1.0 - palette.disc_height) + random.random_range(-0.02..0.02);
        let noise_seed = random.random::<u32>();
        let layers = country.layers(&mut random, horizon, &palette);
        let water = country.water_line(&mut random, horizon).map(|line| Water {
            line,
            roughness: if country == Country::Sea { 1.0 } else { 0.35 },
            tint: blend(scale(palette.sky[0], 0.55), palette.near, 0.3),
        });
        Self {
            seed: noise_seed,
            width,
            height,
            palette,
            horizon,
            disc: (across * aspect, disc_y),
            disc_radius: if palette.stars { 0.028 } else { random.random_range(0.03..0.055) },
            cloudiness: random.random_range(0.0..1.0),
            layers,
            water,
        }
    }

    fn paint(&self) -> RgbImage {
        let (width, height) = (self.width as usize, self.height as usize);
        let unit = 1.0 / self.height as f32;
        let clouds = Clouds::new(self);
        let ridges: Vec<Vec<f32>> = self
            .layers
            .iter()
            .map(|layer| (0..width).map(|x| layer.ridge((x as f32 + 0.5) * unit)).collect())
            .collect();
        let mut canvas: Vec<Colour> = vec![[0.0; 3]; width * height];
        for row in 0..height {
            let y = (row as f32 + 0.5) * unit;
            let (above, rest) = canvas.split_at_mut(row * width);
            let line = &mut rest[..width];
            match &self.water {
                Some(water) if y > water.line => self.water_row(water, y, above, line),
                _ => self.land_row(y, &ridges, &clouds, line),
            }
            if let Some(water) = &self.water {
                // What stands in front of the water is painted over it.
                self.foreground_row(y, water.line, &ridges, line);
            }
        }
        self.develop(&canvas)
    }

    /// Sky and the layers that lie behind any water.
    fn land_row(&self, y: f32, ridges: &[Vec<f32>], clouds: &Clouds, line: &mut [Colour]) {
        let unit = 1.0 / self.height as f32;
        for (x, pixel) in line.iter_mut().enumerate() {
            let at = (x as f32 + 0.5) * unit;
            // The front-most layer that reaches up to here hides everything behind it.
            let front = (0..self.layers.len())
                .rev()
                .find(|index| self.is_behind_water(*index) && ridges[*index][x] < y + unit);
            let Some(front) = front else {
                *pixel = self.sky(at, y, clouds);
                continue;
            };
            let depth = y - ridges[front][x];
            let colour = self.lit(self.layers[front].colour(at, y, depth), at, y);
            *pixel = if depth >= 0.0 {
                colour
            } else {
                // The row in which the ridge lies: mix by coverage, so that outlines are smooth.
                let behind = (0..front)
                    .rev()
                    .find(|index| self.is_behind_water(*index) && ridges[*index][x] < y);
                let under = match behind {
                    Some(index) => {
                        let layer = &self.layers[index];
                        self.lit(layer.colour(at, y, y - ridges[index][x]), at, y)
                    }
                    None => self.sky(at, y, clouds),
                };
                blend(under, colour, 1.0 + depth / unit)
            };
        }
    }

    fn is_behind_water(&self, index: usize) -> bool {
        self.water.is_none() || !self.layers[index].foreground
    }

    fn foreground_row(&self, y: f32, water_line: f32, ridges: &[Vec<f32>], line: &mut [Colour]) {
        let unit = 1.0 / self.height as f32;
        for (layer, ridge) in self.layers.iter().zip(ridges).filter(|(layer, _)| layer.foreground) {
            if y + unit < water_line - 0.4 {
                continue;
            }
            for (x, pixel) in line.iter_mut().enumerate() {
                let coverage = ((y - ridge[x]) / unit + 1.0).clamp(0.0, 1.0);
                if coverage > 0.0 {
                    let at = (x as f32 + 0.5) * unit;
                    let colour = layer.colour(at, y, (y - ridge[x]).max(0.0));
                    *pixel = blend(*pixel, self.lit(colour, at, y), coverage);
                }
            }
        }
    }

    fn sky(&self, x: f32, y: f32, clouds: &Clouds) -> Colour {
        let [top, middle, low] = self.palette.sky;
        let down = (y / self.horizon).clamp(0.0, 1.0);
        let mut colour = if down < 0.55 {
            blend(top, middle, noise::smooth(down / 0.55))
        } else {
            blend(middle, low, smoothstep(0.55, 1.0, down))
        };
        if self.palette.stars {
            colour = self.star(colour, x, y, down);
        }
        let away = self.distance_to_disc(x, y);
        colour = self.glow(colour, away, 1.0);
        let edge = 1.5 / self.height as f32;
        let disc = 1.0 - smoothstep(self.disc_radius - edge, self.disc_radius + edge, away);
        colour = blend(colour, self.palette.disc, disc);
        let cloud = clouds.at(x, y);
        if cloud == 0.0 {
            return colour;
        }
        // Clouds near the light shine, away from it they take the sky's colour.
        let shine = 0.45 + 0.55 * (-away * 2.5).exp();
        let lit = blend(blend(colour, self.palette.cloud, 0.55), self.palette.cloud, shine);
        blend(colour, lit, cloud * (1.0 - disc * 0.4))
    }

    /// One star per cell of a grid at most, placed and lit by chance; fewer near the horizon.
    fn star(&self, colour: Colour, x: f32, y: f32, down: f32) -> Colour {
        const CELL: f32 = 0.022;
        let (column, row) = ((x / CELL).floor(), (y / CELL).floor());
        let chance = |salt: u32| lattice(self.seed ^ salt, column as i32, row as i32);
        if chance(1) > 0.42 * (1.0 - down) {
            return colour;
        }
        let star_x = (column + 0.15 + 0.7 * chance(2)) * CELL;
        let star_y = (row + 0.15 + 0.7 * chance(3)) * CELL;
        let away = ((x - star_x).powi(2) + (y - star_y).powi(2)).sqrt();
        let size = 0.0009 + 0.0014 * chance(4).powi(3);
        let light = (1.0 - away / (size * 1.6)).clamp(0.0, 1.0);
        screen(colour, [235.0, 240.0, 255.0], light * (0.45 + 0.55 * chance(5)))
    }

    fn distance_to_disc(&self, x: f32, y: f32) -> f32 {
        ((x - self.disc.0).powi(2) + (y - self.disc.1).powi(2)).sqrt()
    }

    fn glow(&self, colour: Colour, away: f32, strength: f32) -> Colour {
        let width = self.palette.glow_width;
        // A narrow halo on a wide one; 1 / (1 + d^2) falls like scattered light and needs no exponential.
        let wide = 1.0 / (1.0 + (away / (width * 0.45)).powi(2));
        let narrow = 1.0 / (1.0 + (away / (self.disc_radius * 1.9)).powi(2));
        screen(colour, self.palette.glow, strength * (0.62 * wide * wide + 0.55 * narrow).min(1.0))
    }

    /// Land takes a little of the light that stands above it.
    fn lit(&self, colour: Colour, x: f32, y: f32) -> Colour {
        let away = self.distance_to_disc(x, y);
        let wide = 1.0 / (1.0 + (away / (self.palette.glow_width * 0.5)).powi(2));
        screen(colour, self.palette.glow, 0.32 * wide * wide)
    }

    /// The mirror image: the row as far above the water line, displaced by waves, dimmed, with the light's path on it.
    fn water_row(&self, water: &Water, y: f32, above: &[Colour], line: &mut [Colour]) {
        let width = line.len();
        let unit = 1.0 / self.height as f32;
        let below = y - water.line;
        let shore = (water.line * self.height as f32) as usize;
        // Perspective: waves are larger the nearer they are.
        let near = below / (1.0 - water.line);
        let wave = 0.004 + 0.03 * near;
        for (x, pixel) in line.iter_mut().enumerate() {
            let at = (x as f32 + 0.5) * unit;
            let ripple =
                plane_octaves(self.seed ^ 0x77, at / (wave * 7.0), below / wave * 1.6, 2) - 0.5;
            let mirrored = below * 1.05 + ripple * water.roughness * (0.015 + 0.09 * near);
            let rows_up = (mirrored.abs() * self.height as f32) as usize + 1;
            let from_row = shore.saturating_sub(rows_up).min(shore.saturating_sub(1));
            let shift = ripple * water.roughness * 0.02 * self.height as f32;
            let from_column = (x as f32 + shift).clamp(0.0, (width - 1) as f32) as usize;
            // A picture whose water begins above its first row has nothing to mirror.
            let image = above.get(from_row * width + from_column).copied().unwrap_or(water.tint);
            let dim = mix(0.16, 0.5, smoothstep(0.0, 1.0, near));
            let mut colour = blend(image, water.tint, dim);
            let path = ((at - self.disc.0) / (0.03 + 0.16 * near)).powi(2);
            let glitter = smoothstep(0.08, 0.32, ripple) / (1.0 + path * path);
            colour = screen(colour, self.palette.glow, 0.75 * glitter);
            let streak = smoothstep(0.2, 0.45, ripple) * 0.1;
            *pixel = screen(colour, self.palette.sky[2], streak);
        }
    }

    /// Film: a slight darkening towards the corners, grain, and rounding to bytes.
    fn develop(&self, canvas: &[Colour]) -> RgbImage {
        let mut picture = RgbImage::new(self.width, self.height);
        let (half_width, half_height) = (self.width as f32 / 2.0, self.height as f32 / 2.0);
        let pixels = picture.as_chunks_mut::<3>().0.iter_mut().zip(canvas).enumerate();
        for (index, (pixel, colour)) in pixels {
            let (x, y) = (index as u32 % self.width, index as u32 / self.width);
            let (dx, dy) = (x as f32 / half_width - 1.0, y as f32 / half_height - 1.0);
            let corner = 1.0 - 0.1 * ((dx * dx + dy * dy) * 0.5).powi(2);
            let grain = (lattice(self.seed ^ 0xF11, x as i32, y as i32) - 0.5) * 5.0;
            for channel in 0..3 {
                // `as` clamps to 0..=255.
                pixel[channel] = (colour[channel] * corner + grain + 0.5) as u8;
            }
        }
        picture
    }
}

/// Cloud cover on a coarse grid (it is smooth), read with interpolation.
struct Clouds {
    columns: usize,
    cell: f32,
    cover: Vec<f32>,
}

impl Clouds {
    const ROWS: usize = 160;

    fn new(scene: &Scene) -> Self {
        let cell = 1.0 / Self::ROWS as f32;
        let columns = (scene.width as f32 / scene.height as f32 / cell) as usize + 3;
        let threshold = mix(0.66, 0.44, scene.cloudiness);
        let mut cover = Vec::with_capacity(columns * (Self::ROWS + 2));
        for row in 0..Self::ROWS + 2 {
            for column in 0..columns {
                let (x, y) = (column as f32 * cell, row as f32 * cell);
                // Flattened towards the horizon, as a layer of cloud seen from below.
                let flat = 5.0 + 9.0 * (y / scene.horizon).min(1.0);
                let value = plane_octaves(scene.seed ^ 0xC10, x * 2.6, y * flat, 5);
                let fade = smoothstep(1.02, 0.7, y / scene.horizon).clamp(0.25, 1.0);
                cover.push(smoothstep(threshold, threshold + 0.24, value) * 0.85 * fade);
            }
        }
        Self { columns, cell, cover }
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        let (column, row) = (x / self.cell, y / self.cell);
        let left = (column as usize).min(self.columns - 2);
        let top = (row as usize).min(Self::ROWS);
        let (along, down) = ((column - left as f32).min(1.0), (row - top as f32).min(1.0));
        let cell = |r: usize, c: usize| self.cover[r * self.columns + c];
        let upper = mix(cell(top, left), cell(top, left + 1), along);
        let lower = mix(cell(top + 1, left), cell(top + 1, left + 1), along);
        mix(upper, lower, down)
    }
}
