//! Value noise: random heights on a grid, smoothly joined. One dimension for ridgelines, two for clouds and slopes.

/// A random number in 0..1 for a grid point, from a seed: an integer hash (the finaliser of MurmurHash3).
pub(super) fn lattice(seed: u32, x: i32, y: i32) -> f32 {
    let mut bits = seed
        ^ (x as u32).wrapping_mul(0x9E37_79B1)
        ^ (y as u32).wrapping_mul(0x85EB_CA77).rotate_left(13);
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85EB_CA6B);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xC2B2_AE35);
    bits ^= bits >> 16;
    // 24 bits fill an f32 exactly.
    (bits >> 8) as f32 / 16_777_216.0
}

/// 3t^2 - 2t^3: level at both ends.
pub(super) fn smooth(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// 0 below `low`, 1 above `high`, smooth between.
pub(super) fn smoothstep(low: f32, high: f32, value: f32) -> f32 {
    smooth(((value - low) / (high - low)).clamp(0.0, 1.0))
}

pub(super) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Noise along a line, 0 to 1.
pub(super) fn line(seed: u32, x: f32) -> f32 {
    let cell = x.floor();
    let column = cell as i32;
    mix(lattice(seed, column, 0), lattice(seed, column + 1, 0), smooth(x - cell))
}

/// Noise over a plane, 0 to 1.
pub(super) fn plane(seed: u32, x: f32, y: f32) -> f32 {
    let (cell_x, cell_y) = (x.floor(), y.floor());
    let (column, row) = (cell_x as i32, cell_y as i32);
    let (along, down) = (smooth(x - cell_x), smooth(y - cell_y));
    let upper = mix(lattice(seed, column, row), lattice(seed, column + 1, row), along);
    let lower = mix(lattice(seed, column, row + 1), lattice(seed, column + 1, row + 1), along);
    mix(upper, lower, down)
}

/// Octaves of [`line`], each twice as fine and `keep` times as strong; 0 to 1.
pub(super) fn line_octaves(seed: u32, x: f32, octaves: u32, keep: f32) -> f32 {
    let (mut sum, mut strength, mut scale, mut total) = (0.0, 1.0, 1.0, 0.0);
    for octave in 0..octaves {
        sum += strength * line(seed.wrapping_add(octave * 7919), x * scale);
        total += strength;
        strength *= keep;
        scale *= 2.0;
    }
    sum / total
}

/// Like [`line_octaves`], folded so that it has sharp crests: mountains.
pub(super) fn crests(seed: u32, x: f32, octaves: u32, keep: f32) -> f32 {
    let (mut sum, mut strength, mut scale, mut total) = (0.0, 1.0, 1.0, 0.0);
    for octave in 0..octaves {
        let value = line(seed.wrapping_add(octave * 7919), x * scale);
        sum += strength * (1.0 - (2.0 * value - 1.0).abs());
        total += strength;
        strength *= keep;
        scale *= 2.1;
    }
    sum / total
}

/// Octaves of [`plane`]; 0 to 1.
pub(super) fn plane_octaves(seed: u32, x: f32, y: f32, octaves: u32) -> f32 {
    let (mut sum, mut strength, mut scale, mut total) = (0.0, 1.0, 1.0, 0.0);
    for octave in 0..octaves {
        sum += strength * plane(seed.wrapping_add(octave * 7919), x * scale, y * scale);
        total += strength;
        strength *= 0.5;
        scale *= 2.0;
    }
    sum / total
}
