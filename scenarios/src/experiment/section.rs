//! A table of a TOML file, read value by value, with every mistake kept together with its line and column.
//!
//! serde stops at the first mistake; a person who edits an experiment wants all of them at once, each with the value,
//! the allowed values and the nearest known word. So the document is walked by hand: each getter notes which key was
//! asked for, and [`Section::report_unknown`] reports what nobody asked for.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, line, column, message } = self;
        write!(formatter, "{}:{line}:{column}: {message}", file.display())
    }
}

/// The file that is being read, and what was wrong with it so far.
#[derive(Debug)]
pub struct Document<'i> {
    file: PathBuf,
    text: &'i str,
    problems: RefCell<Vec<Problem>>,
}

impl<'i> Document<'i> {
    /// A document without mistakes as yet.
    pub fn new(file: &Path, text: &'i str) -> Document<'i> {
        Document { file: file.to_owned(), text, problems: RefCell::default() }
    }

    /// Notes a mistake at a place in the text.
    pub fn problem(&self, span: Range<usize>, message: impl Into<String>) {
        let before = &self.text[..self.text.floor_char_boundary(span.start)];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let (file, message) = (self.file.clone(), message.into());
        self.problems.borrow_mut().push(Problem { file, line, column, message });
    }

    /// Everything that was wrong, in the order of the text.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        problems
    }
}

/// A table of the document.
#[derive(Debug)]
pub struct Section<'a, 'i> {
    document: &'a Document<'i>,
    /// `variants.after`; empty at the top.
    path: String,
    table: &'a DeTable<'i>,
    span: Range<usize>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a, 'i> Section<'a, 'i> {
    /// The whole document.
    pub fn top(document: &'a Document<'i>, table: &'a DeTable<'i>) -> Section<'a, 'i> {
        Section { document, path: String::new(), table, span: 0..0, known: RefCell::default() }
    }

    /// `variants.after.store`, for messages.
    pub fn name_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key. The key counts as known from now on.
    fn find(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.known.borrow_mut().push(key);
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// Whether the key is there at all, whatever its value.
    pub fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// Notes a mistake at a key's value, or at the table when the key is absent.
    pub fn problem_at(&self, key: &str, message: impl fmt::Display) {
        let span = self
            .table
            .iter()
            .find(|(name, _)| name.get_ref() == key)
            .map_or_else(|| self.span.clone(), |(_, value)| value.span());
        self.document.problem(span, format!("{}: {message}", self.name_of(key)));
    }

    /// Notes a mistake at the table itself.
    pub fn note(&self, message: impl fmt::Display) {
        self.document.problem(self.span.clone(), format!("{}: {message}", self.path));
    }

    /// `value` unless it is none, which is then a mistake of its own - if the key is absent; a present key with a bad
    /// value has been reported already.
    pub fn required<T>(&self, key: &'static str, what: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.has(key) {
            self.problem_at(key, format_args!("missing; {what}"));
        }
        value
    }

    fn wrong_kind(&self, key: &str, value: &Spanned<DeValue<'i>>, wanted: &str) {
        let found = shown(value.get_ref());
        self.problem_at(key, format_args!("{found} where {wanted} is expected"));
    }

    /// A text that is not empty.
    pub fn text(&self, key: &'static str) -> Option<String> {
        let value = self.find(key)?;
        match value.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => return Some(text.trim().to_owned()),
            Some(_) => self.problem_at(key, "must not be empty"),
            None => self.wrong_kind(key, value, "a text in quotes"),
        }
        None
    }

    /// One of a closed set of words.
    pub fn choice(&self, key: &'static str, allowed: &[&'static str]) -> Option<&'static str> {
        let value = self.find(key)?;
        self.one_of(key, value, allowed)
    }

    fn one_of(
        &self,
        key: &str,
        value: &Spanned<DeValue<'i>>,
        allowed: &[&'static str],
    ) -> Option<&'static str> {
        let Some(word) = value.get_ref().as_str() else {
            self.wrong_kind(key, value, &format!("one of {}", listed(allowed)));
            return None;
        };
        let found = allowed.iter().find(|candidate| **candidate == word).copied();
        if found.is_none() {
            let message = format!(
                "{}: {word:?} is not allowed; allowed: {}{}",
                self.name_of(key),
                allowed.join(", "),
                did_you_mean(word, allowed.iter().copied())
            );
            self.document.problem(value.span(), message);
        }
        found
    }

    /// Several words of a closed set.
    pub fn choices(
        &self,
        key: &'static str,
        allowed: &[&'static str],
    ) -> Option<Vec<&'static str>> {
        let value = self.find(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_kind(key, value, &format!("a list of {}", listed(allowed)));
            return None;
        };
        array.iter().map(|entry| self.one_of(key, entry, allowed)).collect()
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.find(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_kind(key, value, "true or false");
        }
        flag
    }

    /// A number within bounds.
    pub fn number(&self, key: &'static str, allowed: RangeInclusive<f64>) -> Option<f64> {
        let value = self.find(key)?;
        self.number_of(key, value, &allowed)
    }

    fn number_of(
        &self,
        key: &str,
        value: &Spanned<DeValue<'i>>,
        allowed: &RangeInclusive<f64>,
    ) -> Option<f64> {
        let Some(number) = as_number(value.get_ref()) else {
            self.wrong_kind(key, value, "a number");
            return None;
        };
        if allowed.contains(&number) {
            return Some(number);
        }
        let (name, low, high) = (self.name_of(key), allowed.start(), allowed.end());
        let message = format!("{name}: {number} is out of range; allowed: {low} to {high}");
        self.document.problem(value.span(), message);
        None
    }

    /// Numbers within bounds.
    pub fn numbers(&self, key: &'static str, allowed: RangeInclusive<f64>) -> Option<Vec<f64>> {
        let value = self.find(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_kind(key, value, "a list of numbers");
            return None;
        };
        if array.is_empty() {
            self.problem_at(key, "must not be empty");
            return None;
        }
        array.iter().map(|entry| self.number_of(key, entry, &allowed)).collect()
    }

    /// A whole number within bounds.
    pub fn count(&self, key: &'static str, allowed: RangeInclusive<u32>) -> Option<u32> {
        let value = self.find(key)?;
        self.count_of(key, value, &allowed)
    }

    fn count_of(
        &self,
        key: &str,
        value: &Spanned<DeValue<'i>>,
        allowed: &RangeInclusive<u32>,
    ) -> Option<u32> {
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_kind(key, value, "a whole number");
            return None;
        };
        let count = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        if let Some(count) = count.filter(|count| allowed.contains(count)) {
            return Some(count);
        }
        let (name, low, high) = (self.name_of(key), allowed.start(), allowed.end());
        let message = format!("{name}: {integer} is out of range; allowed: {low} to {high}");
        self.document.problem(value.span(), message);
        None
    }

    /// Whole numbers within bounds.
    pub fn counts(&self, key: &'static str, allowed: RangeInclusive<u32>) -> Option<Vec<u32>> {
        let value = self.find(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_kind(key, value, "a list of whole numbers");
            return None;
        };
        array.iter().map(|entry| self.count_of(key, entry, &allowed)).collect()
    }

    /// A table inside this one.
    pub fn section(&self, key: &'static str) -> Option<Section<'a, 'i>> {
        let value = self.find(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_kind(key, value, "a table");
            return None;
        };
        Some(self.inner(self.name_of(key), table, value.span()))
    }

    /// The tables `[[key]]`.
    pub fn sections(&self, key: &'static str) -> Vec<Section<'a, 'i>> {
        let Some(value) = self.find(key) else { return Vec::new() };
        let tables: Option<Vec<_>> = value.get_ref().as_array().and_then(|array| {
            array.iter().map(|entry| Some((entry.get_ref().as_table()?, entry.span()))).collect()
        });
        let Some(tables) = tables else {
            self.wrong_kind(key, value, &format!("a list of tables, [[{}]]", self.name_of(key)));
            return Vec::new();
        };
        let name = |index: usize| format!("{}[{index}]", self.name_of(key));
        let sections = tables.into_iter().enumerate();
        sections.map(|(index, (table, span))| self.inner(name(index), table, span)).collect()
    }

    /// The tables inside this one under names that the file chooses, in the order of the file.
    pub fn named_sections(&self) -> Vec<(String, Section<'a, 'i>)> {
        let mut sections = Vec::new();
        for (name, value) in self.table {
            let name = name.get_ref();
            match value.get_ref().as_table() {
                Some(table) => {
                    let section = self.inner(self.name_of(name), table, value.span());
                    sections.push((name.to_string(), section));
                }
                None => self.wrong_kind(name, value, "a table"),
            }
        }
        sections.sort_by_key(|(_, section)| section.span.start);
        sections
    }

    /// Numbers under names of a closed set.
    pub fn named_numbers(
        &self,
        allowed_names: &[&'static str],
        allowed: RangeInclusive<f64>,
    ) -> Vec<(&'static str, f64)> {
        self.known.borrow_mut().extend(allowed_names);
        let mut numbers = Vec::new();
        for name in allowed_names {
            let found = self.table.iter().find(|(key, _)| key.get_ref() == name);
            let number = found.and_then(|(_, value)| self.number_of(name, value, &allowed));
            numbers.extend(number.map(|number| (*name, number)));
        }
        numbers
    }

    fn inner(&self, path: String, table: &'a DeTable<'i>, span: Range<usize>) -> Section<'a, 'i> {
        Section { document: self.document, path, table, span, known: RefCell::default() }
    }

    /// Reports the keys that nobody asked for.
    pub fn report_unknown(&self) {
        let known = self.known.borrow();
        for (name, _) in self.table {
            let word: &str = name.get_ref();
            if known.contains(&word) {
                continue;
            }
            let mut allowed: Vec<&str> = known.clone();
            allowed.sort_unstable();
            allowed.dedup();
            let place = if self.path.is_empty() { "the file" } else { self.path.as_str() };
            let message = format!(
                "unknown key {word:?} in {place}; allowed: {}{}",
                allowed.join(", "),
                did_you_mean(word, known.iter().copied())
            );
            self.document.problem(name.span(), message);
        }
    }
}

/// `; did you mean "mysql"?`, or nothing when no word is near.
pub fn did_you_mean<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    // 0.75 lets one letter in four differ, which catches slips and no other word.
    const NEAR: f64 = 0.75;
    let near = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    near.map(|(_, candidate)| format!("; did you mean {candidate:?}?")).unwrap_or_default()
}

fn listed(allowed: &[&str]) -> String {
    allowed.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

fn as_number(value: &DeValue<'_>) -> Option<f64> {
    if let Some(float) = value.as_float() {
        return float.as_str().parse().ok();
    }
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|whole| whole as f64)
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {text:?}"),
        DeValue::Integer(integer) => format!("the whole number {integer}"),
        DeValue::Float(float) => format!("the number {float}"),
        DeValue::Boolean(flag) => format!("{flag}"),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
