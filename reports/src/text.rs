//! Figures as words: numbers, ratios, durations, and the one-screen summary that ends a run.
//!
//! One place, so that the page, the terminal and the findings' sentences never write the same figure in two ways.

use crate::summary::{Finding, Summary, Verdict};

/// 1560.4 -> `1,560`; 12.34 -> `12.3`; 1.234 -> `1.23`; 0.1234 -> `0.123`: three digits, grouped above a thousand.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let size = value.abs();
    if size >= 100.0 {
        return grouped(value.round() as i64);
    }
    let rounded = crate::stats::round_significant(value, 3);
    let decimals = if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        3
    };
    let text = format!("{rounded:.decimals$}");
    // 12.0 -> 12; trailing zeros claim digits that add nothing here.
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// 1234567 -> `1,234,567`.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// 2.134 -> `2.13`; 7.42 -> `7.4`; 31.6 -> `32`: a ratio is never known to more.
pub fn ratio(value: f64) -> String {
    if value < 5.0 {
        format!("{value:.2}")
    } else if value < 20.0 {
        format!("{value:.1}")
    } else {
        grouped(value.round() as i64)
    }
}

/// 0.0412 -> `0.041 ms`; 12.3 -> `12.3 ms`; 2300 -> `2.3 s`.
pub fn milliseconds(value: f64) -> String {
    if value >= 1_000.0 {
        format!("{} s", number(value / 1_000.0))
    } else {
        format!("{} ms", number(value))
    }
}

/// 0.9523 -> `95.2 %`, 0.0004 -> `0.04 %`; a share just short of a whole is never rounded up to it.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let decimals =
        if value != 0.0 && value.abs() < 0.1 || (value > 99.9 && value < 100.0) { 2 } else { 1 };
    let scale = 10f64.powi(decimals);
    let rounded = (value * scale).round() / scale;
    let shown =
        if value < 100.0 && rounded >= 100.0 { (value * scale).floor() / scale } else { rounded };
    let text = format!("{shown:.*}", decimals as usize);
    format!(
        "{} %",
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text }
    )
}

/// 1073741824 -> `1.07 GB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled >= 1_000.0 && unit + 1 < UNITS.len() {
        scaled /= 1_000.0;
        unit += 1;
    }
    format!("{} {}", number(scaled), UNITS[unit])
}

/// `[1.9, 2.3]` -> `1.90 to 2.30`; both ends with the decimals of the upper one.
pub fn interval(low: f64, high: f64) -> String {
    let decimals = match high {
        high if high < 5.0 => 2,
        high if high < 20.0 => 1,
        _ if low < 10.0 => 1,
        _ => 0,
    };
    format!("{low:.decimals$} to {high:.decimals$}")
}

/// The cure as part of a sentence: `Cache` -> `the cache`, `DynamoDB` and `S3 + CDN` stay as they are.
pub fn cure(label: &str) -> String {
    let mut letters = label.chars();
    let (first, second) = (letters.next(), letters.next());
    let first_word = label.split_whitespace().next().unwrap_or_default();
    let plain = first.is_some_and(char::is_uppercase)
        && second.is_some_and(char::is_lowercase)
        && !first_word.chars().skip(1).any(|c| c.is_uppercase() || c.is_ascii_digit());
    if plain || first.is_some_and(char::is_lowercase) {
        let lower: String =
            first.into_iter().flat_map(char::to_lowercase).chain(label.chars().skip(1)).collect();
        if lower.starts_with("the ") { lower } else { format!("the {lower}") }
    } else {
        label.to_owned()
    }
}

/// The first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// A text from a file as a page, a figure, a table or a terminal may show it. Labels and reasons are other people's words: characters
/// that no XML can hold, that command a terminal, or that turn the writing around for all that follows show as `\u{fffd}`; what would break a line
/// in some places only becomes a space.
pub fn plain(text: &str) -> String {
    let shown = text.chars().map(|letter| match letter {
        '\n' | '\t' => letter,
        '\r' | '\u{2028}' | '\u{2029}' => ' ',
        // Embeddings, overrides and isolates of the bidirectional algorithm.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        '\u{fdd0}'..='\u{fdef}' => char::REPLACEMENT_CHARACTER,
        _ if letter.is_control() || u32::from(letter) & 0xfffe == 0xfffe => {
            char::REPLACEMENT_CHARACTER
        }
        _ => letter,
    });
    shown.collect()
}

/// The answers in at most 80 columns and one screen, for the end of a run.
pub fn one_screen(summary: &Summary) -> String {
    use std::fmt::Write as _;

    let mut text = String::new();
    let mode = if summary.mode == loadgen::record::Reality::Real { "REAL" } else { "SIMULATED" };
    // Writing to a String cannot fail; the results are dropped on purpose.
    let _ = writeln!(text, "{} ({mode})", summary.run);
    let _ = writeln!(text, "{:<22} {:<28} {:<28}", "", "faster for one user?", "holds more load?");
    for experiment in &summary.experiments {
        let mut variants: Vec<&str> = Vec::new();
        for finding in &experiment.findings {
            if !variants.contains(&finding.variant()) {
                variants.push(finding.variant());
            }
        }
        for variant in variants {
            let find = |performance: bool| {
                experiment.findings.iter().find(|f| {
                    f.variant() == variant && matches!(f, Finding::Performance(_)) == performance
                })
            };
            let name = format!("{} / {variant}", experiment.id);
            let _ =
                writeln!(text, "{name:<22} {:<28} {:<28}", answer(find(true)), answer(find(false)));
        }
    }
    let honesty = &summary.honesty;
    let known = |value: Option<f64>| value.map_or("not measured".to_owned(), ratio);
    let _ = writeln!(
        text,
        "A/A worst {} · late sends {} · generator headroom {}",
        known(honesty.aa_worst_ratio),
        percent(honesty.late_sends),
        known(honesty.generator_headroom),
    );
    let verified = if honesty.work_verified { "work verified" } else { "WORK NOT VERIFIED" };
    let _ = writeln!(
        text,
        "errors {} · {verified} · warnings {}",
        honesty.errors,
        honesty.warnings.len()
    );
    plain(&text)
}

/// `yes, 2.13x`, in so few words that two fit on a line.
fn answer(finding: Option<&Finding>) -> String {
    let Some(finding) = finding else { return "not measured".to_owned() };
    let times = finding.ratio().map_or_else(String::new, |r| format!(" {}x", ratio(r)));
    match finding.verdict() {
        Verdict::Improved => format!("yes{times}"),
        Verdict::Worse => format!("no, worse{times}"),
        Verdict::NoDifferenceProven => format!("no difference proven{times}"),
        Verdict::TooNoisy => format!("too noisy{times}"),
        Verdict::NotComparable => "not comparable".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_in_one_way() {
        for (value, text) in [
            (0.0, "0"),
            (0.04123, "0.041"),
            (1.2, "1.2"),
            (9.999, "10"),
            (12.34, "12.3"),
            (99.96, "100"),
            (410.0, "410"),
            (1560.4, "1,560"),
            (1_234_567.0, "1,234,567"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
        assert_eq!(grouped(-12_345), "-12,345");
        assert_eq!([ratio(2.134), ratio(7.42), ratio(31.6)], ["2.13", "7.4", "32"]);
        assert_eq!([milliseconds(12.34), milliseconds(2_300.0)], ["12.3 ms", "2.3 s"]);
        assert_eq!(
            [percent(0.95), percent(0.0004), percent(0.99996), percent(1.0)],
            ["95 %", "0.04 %", "99.99 %", "100 %"]
        );
        assert_eq!(bytes(1_073_741_824), "1.07 GB");
    }

    #[test]
    fn what_would_break_a_page_or_command_a_terminal_is_seen_as_such() {
        assert_eq!(
            plain("größe 日本 📷 \u{5d0}\u{200f}\n\tx"),
            "größe 日本 📷 \u{5d0}\u{200f}\n\tx"
        );
        for broken in [
            '\0',
            '\u{7}',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{202e}',
            '\u{2066}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{fdd0}',
            '\u{1ffff}',
        ] {
            assert_eq!(plain(&format!("a{broken}b")), "a\u{fffd}b", "{broken:?}");
        }
        assert_eq!(plain("a\rb\u{2028}c\u{2029}d"), "a b c d");
    }

    #[test]
    fn a_cure_reads_well_inside_a_sentence() {
        assert_eq!(cure("Cache"), "the cache");
        assert_eq!(cure("Load balancer"), "the load balancer");
        assert_eq!(cure("DynamoDB"), "DynamoDB");
        assert_eq!(cure("S3 + CDN"), "S3 + CDN");
        assert_eq!(cure("SQS and workers"), "SQS and workers");
        assert_eq!(cure("the queue"), "the queue");
    }
}
