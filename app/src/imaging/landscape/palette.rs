//! Colours of the hours: what sky, light, haze and land look like from dawn to night.

/// A colour as red, green, blue in 0..=255.
pub(super) type Colour = [f32; 3];

/// All colours of one hour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    /// The sky overhead, halfway and at the horizon.
    pub(super) sky: [Colour; 3],
    /// The sun's or moon's disc.
    pub(super) disc: Colour,
    /// The light around it.
    pub(super) glow: Colour,
    /// How wide the glow spreads, in heights of the picture.
    pub(super) glow_width: f32,
    /// Cloud, lit side.
    pub(super) cloud: Colour,
    /// What distance fades into.
    pub(super) haze: Colour,
    /// The nearest land.
    pub(super) near: Colour,
    /// Land halfway.
    pub(super) middle: Colour,
    /// Height of the sun or moon above the horizon, as a share of the sky.
    pub(super) disc_height: f32,
    /// Whether stars are out.
    pub(super) stars: bool,
}

const fn rgb(hex: u32) -> Colour {
    [(hex >> 16 & 255) as f32, (hex >> 8 & 255) as f32, (hex & 255) as f32]
}

/// The hours, in no order.
pub(super) const PALETTES: [Palette; 9] = [
    // Dawn: rose over slate blue.
    Palette {
        sky: [rgb(0x4A5F92), rgb(0xC58FA0), rgb(0xFFD9B0)],
        disc: rgb(0xFFF3D6),
        glow: rgb(0xFFB98A),
        glow_width: 0.55,
        cloud: rgb(0xF7B7A8),
        haze: rgb(0xE7BDB4),
        middle: rgb(0x7A6A8C),
        near: rgb(0x2A2B46),
        disc_height: 0.16,
        stars: false,
    },
    // Morning: clear and cool.
    Palette {
        sky: [rgb(0x3E7FC1), rgb(0x86B9E0), rgb(0xDCEBF0)],
        disc: rgb(0xFFFDF0),
        glow: rgb(0xFFF4D0),
        glow_width: 0.45,
        cloud: rgb(0xFFFFFF),
        haze: rgb(0xC4D8E2),
        middle: rgb(0x5C8577),
        near: rgb(0x24473A),
        disc_height: 0.62,
        stars: false,
    },
    // Afternoon: warm light, green land.
    Palette {
        sky: [rgb(0x4B93CF), rgb(0x9CCAE4), rgb(0xF4E9CE)],
        disc: rgb(0xFFFBE6),
        glow: rgb(0xFFE9B0),
        glow_width: 0.5,
        cloud: rgb(0xFFF8EC),
        haze: rgb(0xD5DCCB),
        middle: rgb(0x7E9A5B),
        near: rgb(0x3A4F25),
        disc_height: 0.5,
        stars: false,
    },
    // Golden hour.
    Palette {
        sky: [rgb(0x5A82A8), rgb(0xE7B878), rgb(0xFFE2A0)],
        disc: rgb(0xFFF8DC),
        glow: rgb(0xFFC860),
        glow_width: 0.6,
        cloud: rgb(0xFFD79A),
        haze: rgb(0xF0C583),
        middle: rgb(0xA0703C),
        near: rgb(0x3D2817),
        disc_height: 0.26,
        stars: false,
    },
    // Sunset: orange under violet.
    Palette {
        sky: [rgb(0x352F5E), rgb(0xB84E5F), rgb(0xFFA858)],
        disc: rgb(0xFFF0C0),
        glow: rgb(0xFF8A45),
        glow_width: 0.6,
        cloud: rgb(0xE8705A),
        haze: rgb(0xD8735A),
        middle: rgb(0x6A3550),
        near: rgb(0x1E1428),
        disc_height: 0.12,
        stars: false,
    },
    // Dusk: blue hour.
    Palette {
        sky: [rgb(0x16234C), rgb(0x3F5E94), rgb(0xD9A9A0)],
        disc: rgb(0xFFF4E4),
        glow: rgb(0xE9A79A),
        glow_width: 0.5,
        cloud: rgb(0x8A7FA6),
        haze: rgb(0x7F86AC),
        middle: rgb(0x35466F),
        near: rgb(0x0E1630),
        disc_height: 0.3,
        stars: true,
    },
    // Night: moon over ink.
    Palette {
        sky: [rgb(0x070B1E), rgb(0x14264A), rgb(0x35557A)],
        disc: rgb(0xF6F3E4),
        glow: rgb(0x9FB6D6),
        glow_width: 0.4,
        cloud: rgb(0x3A4E70),
        haze: rgb(0x31496C),
        middle: rgb(0x182A47),
        near: rgb(0x060B16),
        disc_height: 0.66,
        stars: true,
    },
    // Autumn haze: copper land under a pale sky.
    Palette {
        sky: [rgb(0x7FA3B5), rgb(0xC6D2CC), rgb(0xF6E3C4)],
        disc: rgb(0xFFFAEC),
        glow: rgb(0xFFE2B0),
        glow_width: 0.5,
        cloud: rgb(0xF8EFE0),
        haze: rgb(0xE2D2B6),
        middle: rgb(0xB0713C),
        near: rgb(0x532E18),
        disc_height: 0.4,
        stars: false,
    },
    // Teal evening.
    Palette {
        sky: [rgb(0x0F4C5C), rgb(0x4FA3A0), rgb(0xFBE3B8)],
        disc: rgb(0xFFF8DE),
        glow: rgb(0xFFDB9A),
        glow_width: 0.55,
        cloud: rgb(0xB9D8C8),
        haze: rgb(0xA6CDBD),
        middle: rgb(0x2E7270),
        near: rgb(0x0B2A33),
        disc_height: 0.2,
        stars: false,
    },
];

/// `a` at 0, `b` at 1.
pub(super) fn blend(a: Colour, b: Colour, t: f32) -> Colour {
    [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]
}

/// Adds light, as film does: it never burns out.
pub(super) fn screen(under: Colour, light: Colour, strength: f32) -> Colour {
    let add = |u: f32, l: f32| u + (255.0 - u) * (l / 255.0) * strength;
    [add(under[0], light[0]), add(under[1], light[1]), add(under[2], light[2])]
}

/// Brighter or darker.
pub(super) fn scale(colour: Colour, by: f32) -> Colour {
    [colour[0] * by, colour[1] * by, colour[2] * by]
}
