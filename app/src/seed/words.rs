//! Names and texts of the seeded population: invented by combining, of no real person. Pure functions of a number.

const FIRST: [&str; 64] = [
    "ada", "aino", "alma", "amir", "anouk", "arlo", "asha", "bela", "bruno", "cleo", "dario",
    "dina", "eda", "eino", "elif", "emre", "enzo", "farah", "finn", "gita", "hana", "hugo", "ida",
    "ilja", "imke", "ines", "isla", "ivo", "jana", "joel", "juno", "kaia", "kenji", "lale", "lars",
    "leda", "lina", "luca", "maja", "malik", "mara", "mika", "mila", "nadia", "nilo", "noor",
    "odin", "olga", "oskar", "petra", "quinn", "rafa", "rina", "runa", "sami", "sena", "silas",
    "tala", "teo", "uma", "vera", "wanja", "yara", "zeno",
];

const LAST: [&str; 64] = [
    "alderbrook",
    "amberly",
    "ashcombe",
    "barleyfen",
    "birchfield",
    "blackmere",
    "briarley",
    "brookholm",
    "cedarwell",
    "clearwater",
    "cloudsley",
    "coldspring",
    "copperdale",
    "cragmoor",
    "dawnridge",
    "deepdale",
    "driftwood",
    "dunmarsh",
    "eastmoor",
    "elmhollow",
    "emberlin",
    "fairglen",
    "fallowmere",
    "fernhill",
    "foxglove",
    "frosthaven",
    "gladeway",
    "goldacre",
    "greyhollow",
    "harrowden",
    "hazelford",
    "heathrow_moor",
    "highfell",
    "hollowell",
    "ironbeck",
    "juniperly",
    "kestrelby",
    "lakeview",
    "larkspur",
    "longbarrow",
    "lowtide",
    "maplecroft",
    "marlowe_end",
    "meadowlark",
    "mistral",
    "moorgate",
    "northlea",
    "oakenshaw",
    "overlook",
    "pebblebrook",
    "pinecrest",
    "quarrybank",
    "ravenscar",
    "reedmace",
    "ridgeway",
    "riverstone",
    "saltmarsh",
    "shalewood",
    "silverlea",
    "stonebeck",
    "summerfield",
    "thornbury_hill",
    "westerly",
    "windrush",
];

const LIGHT: [&str; 12] = [
    "First light",
    "Last light",
    "Haze",
    "A quiet hour",
    "Long shadows",
    "Soft colours",
    "Clear air",
    "Weather coming in",
    "The wide view",
    "Layer upon layer",
    "Nobody else",
    "Almost still",
];

const PLACE: [&str; 12] = [
    "over the ridge",
    "beyond the hills",
    "on the old road",
    "far from the town",
    "at the viewpoint",
    "above the valley",
    "along the horizon",
    "where the map ends",
    "from the train window",
    "on day three",
    "before breakfast",
    "on the way home",
];

const AFTER: [&str; 8] = [
    "",
    ".",
    " \u{1f304}",
    " - worth the climb.",
    ". No filter needed?",
    ", again.",
    " \u{2601}\u{fe0f}",
    "...",
];

const REMARKS: [&str; 24] = [
    "Beautiful!",
    "Where is this?",
    "That light.",
    "I can almost hear the wind.",
    "Stunning colours \u{1f60d}",
    "This makes me want to go outside.",
    "The layers work so well.",
    "Wow.",
    "My new wallpaper.",
    "How long did you wait for this?",
    "So calm.",
    "Great composition.",
    "I was there last year, much rain.",
    "The horizon is perfectly placed.",
    "More of these, please!",
    "Love the haze.",
    "Looks like a painting.",
    "\u{1f44f}\u{1f44f}\u{1f44f}",
    "What a sky.",
    "Did you use a tripod?",
    "The distance in this one...",
    "Simple and strong.",
    "Saved.",
    "This should be on a wall.",
];

/// How many people have a name without a number.
const NAMES_PLAIN: usize = FIRST.len() * LAST.len();

/// The name in URLs and the one on pages; a different pair for every number.
pub(super) fn name(number: usize) -> (String, String) {
    // 1,531 shares no factor with 4,096, so that neighbours look different and no pair repeats before all are used.
    let pair = number % NAMES_PLAIN * 1_531 % NAMES_PLAIN;
    let (first, last) = (FIRST[pair / LAST.len()], LAST[pair % LAST.len()]);
    let round = number / NAMES_PLAIN;
    let words = last.split('_').map(capital).collect::<Vec<_>>().join(" ");
    let display = format!("{} {words}", capital(first));
    if round == 0 {
        (format!("{first}_{last}"), display)
    } else {
        (format!("{first}_{last}_{round}"), format!("{display} {round}"))
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// A caption.
pub(super) fn caption(random: u64) -> String {
    let pick = |words: &[&'static str], shift: u32| words[(random >> shift) as usize % words.len()];
    format!("{} {}{}", pick(&LIGHT, 0), pick(&PLACE, 16), pick(&AFTER, 32))
}

/// The alternative text of a painted picture.
pub(super) fn alt(picture: usize) -> String {
    let number = picture + 1;
    format!(
        "A painted landscape under a wide sky, fading into the distance (number {number} of the series)"
    )
}

/// A comment.
pub(super) fn remark(random: u64) -> &'static str {
    REMARKS[random as usize % REMARKS.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_different_and_fit_an_account() {
        let mut seen = HashSet::new();
        for number in 0..NAMES_PLAIN * 2 + 10 {
            let (name, display) = name(number);
            assert!((3..=30).contains(&name.len()), "{name}");
            assert!(crate::store::is_name_text(&name), "{name}");
            assert!(display.chars().count() <= 60, "{display}");
            assert!(seen.insert(name), "twice");
        }
    }
}
