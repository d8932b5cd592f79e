//! Readers of single settings that collect mistakes instead of stopping at the first.
//!
//! A mistake names the flag, what was given (secrets excepted) and what is allowed. `check` next door uses them to build a
//! whole [`Config`](super::Config).

use std::ffi::OsString;
use std::fmt;

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The flag, with its dashes.
    pub flag: String,
    /// What was given; none when it is missing or secret.
    pub given: Option<String>,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(given) => write!(f, "{} `{given}`: {}", self.flag, self.allowed),
            None => write!(f, "{}: {}", self.flag, self.allowed),
        }
    }
}

/// All settings that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub struct ConfigError {
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.as_slice() {
            [only] => write!(f, "one setting is wrong: {only}"),
            all => {
                write!(f, "{} settings are wrong:", all.len())?;
                all.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
        }
    }
}

/// Collects mistakes; every reader returns something usable so that the next setting is checked as well.
#[derive(Default)]
pub(super) struct Checker {
    pub(super) mistakes: Vec<Mistake>,
}

impl Checker {
    pub(super) fn wrong(&mut self, flag: &str, given: Option<&str>, allowed: impl Into<String>) {
        let (flag, given) = (flag.to_owned(), given.map(str::to_owned));
        self.mistakes.push(Mistake { flag, given, allowed: allowed.into() });
    }

    pub(super) fn number(
        &mut self,
        flag: &str,
        raw: &Option<String>,
        default: u64,
        range: [u64; 2],
    ) -> u64 {
        let Some(text) = raw else { return default };
        match text.parse::<u64>() {
            Ok(value) if (range[0]..=range[1]).contains(&value) => value,
            _ => {
                self.wrong(
                    flag,
                    Some(text),
                    format!("use a whole number from {} to {}", range[0], range[1]),
                );
                default
            }
        }
    }

    /// One of the allowed words; the first is the default and takes the place of a wrong one.
    pub(super) fn word<'a>(
        &mut self,
        flag: &str,
        raw: &'a Option<String>,
        allowed: &[&'a str],
    ) -> &'a str {
        let Some(text) = raw else { return allowed[0] };
        if let Some(word) = allowed.iter().find(|word| **word == text.as_str()) {
            return word;
        }
        self.wrong(flag, Some(text), format!("use {}", listed(allowed)));
        ""
    }

    pub(super) fn required(&mut self, flag: &str, raw: &Option<String>, because: &str) -> String {
        match raw.as_deref().map(str::trim) {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                self.wrong(flag, None, format!("is missing; {because}"));
                String::new()
            }
        }
    }

    /// An http or https address without a trailing slash.
    pub(super) fn http_url(&mut self, flag: &str, raw: &Option<String>) -> Option<String> {
        let text = raw.as_deref()?.trim_end_matches('/');
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        if !rest.is_some_and(|rest| !rest.is_empty() && text.parse::<http::Uri>().is_ok()) {
            self.wrong(flag, Some(text), "use an address such as http://127.0.0.1:9000");
        }
        Some(text.to_owned())
    }

    /// A database address; never echoed, it may hold a password.
    pub(super) fn mysql_url(&mut self, text: &str) -> String {
        if !text.trim().starts_with("mysql://") {
            let allowed = "use mysql://user:password@host:port/database (the address given is not shown: it may hold a password)";
            self.wrong("--store-url", None, allowed);
        }
        text.trim().to_owned()
    }

    pub(super) fn redis_url(&mut self, raw: &Option<String>, because: &str) -> String {
        let url = self.required("--redis-url", raw, because);
        if !url.is_empty() && !crate::redis_client::is_redis_url(&url) {
            self.wrong(
                "--redis-url",
                None,
                "use redis://host:port, or rediss://host:port with TLS",
            );
        }
        url
    }
}

impl Checker {
    /// A misspelt variable would silently leave a default in place: it is refused instead.
    pub(super) fn unknown_environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) {
        use clap::CommandFactory;
        let command = super::arguments::Arguments::command();
        let known: Vec<String> = command
            .get_subcommands()
            .flat_map(|role| role.get_arguments())
            .filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned))
            .collect();
        for (name, _) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with("PHOTO_APP_")) else {
                continue;
            };
            if !known.iter().any(|other| other == name) {
                self.wrong(
                    name,
                    None,
                    "is no setting of the app; `photo-app serve --help` lists them",
                );
            }
        }
    }
}

fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
