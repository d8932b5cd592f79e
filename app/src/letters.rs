//! What people write, letter by letter: which letters can be seen, and which turn the text around them.
//!
//! A name that nobody sees cannot be clicked or blamed, and one with an override (U+202E) is read as another name. Names hold neither;
//! longer texts may hold marks of direction, because people copy them from where they are right, and pages then keep them within
//! (`<bdi>`, [`without_turns`]). Scripts that run from right to left and emoji joined by U+200D are letters like any other. The classes are
//! Unicode's (crate `icu_properties`).

use std::borrow::Cow;

use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, NoncharacterCodePoint, PrependedConcatenationMark,
};
use icu_properties::{CodePointMapData, CodePointSetData, CodePointSetDataBorrowed};

/// Letters that have a shape without ink: the Braille cell without a dot, the null notehead, and where an object once stood.
const BLANK: [char; 3] = ['\u{2800}', '\u{1d159}', '\u{fffc}'];

/// Whether anything of it can be seen.
pub fn is_visible(letter: char) -> bool {
    if letter.is_ascii_graphic() {
        return true;
    }
    let blank = letter.is_whitespace() || letter.is_control() || BLANK.contains(&letter);
    let is_in = |set: CodePointSetDataBorrowed<'static>| set.contains(letter);
    // Among the letters that only say how others look there are a few that are drawn around them.
    let says_only = category(letter) == GeneralCategory::Format
        && !is_in(CodePointSetData::new::<PrependedConcatenationMark>());
    let hidden = says_only
        || is_in(CodePointSetData::new::<DefaultIgnorableCodePoint>())
        || is_in(CodePointSetData::new::<NoncharacterCodePoint>());
    !(blank || hidden)
}

fn category(letter: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(letter)
}

/// Whether it changes the direction of what follows until something ends it: embeddings, overrides and isolates, and their ends.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether it ends a line, beside `\n`.
fn ends_line(letter: char) -> bool {
    matches!(letter, '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What is wrong with a text of one line, if anything.
pub fn one_line_mistake(text: &str) -> Option<String> {
    let bad = |letter: &char| letter.is_control() || ends_line(*letter) || turns(*letter);
    if let Some(letter) = text.chars().find(bad) {
        let code = u32::from(letter);
        return Some(format!(
            "holds a sign that cannot be seen and turns or breaks the line (U+{code:04X}). Type it again without."
        ));
    }
    (!text.chars().any(is_visible))
        .then(|| "needs a letter, a digit or another sign that can be seen.".to_owned())
}

/// A text of several lines: line ends as in Unix, no other control character but the tab, no space around; nothing where nothing can be
/// seen.
pub fn clean(text: &str) -> String {
    if !text.chars().any(is_visible) {
        return String::new();
    }
    let lines = text.replace("\r\n", "\n");
    let lines = lines.chars().map(|letter| if ends_line(letter) { '\n' } else { letter });
    let kept = |letter: &char| matches!(letter, '\n' | '\t') || !letter.is_control();
    lines.filter(kept).collect::<String>().trim().to_owned()
}

/// The text for places that take no element to keep its direction within: titles and attributes.
pub fn without_turns(text: &str) -> Cow<'_, str> {
    match text.contains(turns) {
        true => text.replace(turns, "").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of real people in their own scripts, and what they add to them.
    const NAMES: [&str; 14] = [
        "Anna",
        "Ångström",
        "O\u{2019}Brien-Smith",
        "אָלֶף בֵּית",
        "محمد \u{200f}علي",
        "می\u{200c}خواهم",
        "ক্\u{200d}ষ",
        "中村 花子",
        "김민준",
        "👩\u{200d}👩\u{200d}👧",
        "📷✨",
        "❤\u{fe0f}",
        "1",
        "\u{600}12",
    ];

    #[test]
    fn names_of_every_script_are_names() {
        for name in NAMES {
            assert_eq!(one_line_mistake(name), None, "{name}");
            assert_eq!(clean(name), name);
            assert_eq!(without_turns(name), name);
        }
    }

    #[test]
    fn what_nobody_can_see_is_no_name() {
        for letter in [
            '\u{200b}',
            '\u{3164}',
            '\u{2800}',
            '\u{ad}',
            '\u{115f}',
            '\u{1160}',
            '\u{ffa0}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{61c}',
            '\u{2060}',
            '\u{2064}',
            '\u{feff}',
            '\u{180e}',
            '\u{34f}',
            '\u{17b4}',
            '\u{fe0f}',
            '\u{e0041}',
            '\u{fff9}',
            '\u{fffc}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{13430}',
            '\u{a0}',
            '\u{3000}',
            '\u{205f}',
            '\u{fffe}',
            '\u{fdd0}',
        ] {
            assert!(!is_visible(letter), "{letter:?}");
            let alone = format!("{letter} {letter}\u{200b}");
            let mistake = one_line_mistake(&alone).unwrap_or_default();
            assert!(mistake.contains("can be seen"), "{letter:?}: {mistake}");
            assert_eq!(clean(&alone), "", "{letter:?}");
        }
        assert!(one_line_mistake("").is_some());
    }

    #[test]
    fn what_turns_or_breaks_a_line_is_refused_in_a_name_and_told() {
        for code in (0x202a..=0x202e)
            .chain(0x2066..=0x2069)
            .chain(0..0x20)
            .chain(0x7f..0xa0)
            .chain([0x2028, 0x2029])
        {
            let letter = char::from_u32(code).expect("no surrogate");
            let mistake = one_line_mistake(&format!("an{letter}na")).unwrap_or_default();
            assert!(mistake.contains(&format!("(U+{code:04X})")), "{code:x}: {mistake}");
        }
    }

    #[test]
    fn longer_texts_keep_their_lines_and_lose_what_controls_nothing_here() {
        assert_eq!(
            clean(" one\r\ntwo\rthree\u{2028}four\u{2029}five\u{85}six\n"),
            "one\ntwo\nthree\nfour\nfive\nsix"
        );
        assert_eq!(clean("a\0b\u{7}c\u{9f}\td\u{1b}[31m"), "abc\td[31m");
        assert_eq!(
            clean("call \u{202a}+972 3 123\u{202c} now"),
            "call \u{202a}+972 3 123\u{202c} now"
        );
        assert_eq!(clean(" \u{200b}\n\u{3164}\t"), "");
    }

    #[test]
    fn nothing_turns_outside_of_an_element() {
        assert_eq!(without_turns("a\u{2069}\u{202e}b\u{202c}\u{2066}c"), "abc");
    }
}
