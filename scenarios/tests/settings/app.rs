//! What the app knows: the names of its settings, and whether it would start with given ones.

use std::collections::{BTreeMap, BTreeSet};

use clap::{CommandFactory, Parser};
use photo_app::config::arguments::{Arguments, Role};
use photo_app::config::{Config, SeedConfig};

/// Setting -> value, by the name of its environment variable.
pub type Settings = BTreeMap<String, String>;

/// The flag of every environment variable that the app reads.
pub fn flags() -> BTreeMap<String, String> {
    let command = Arguments::command();
    let arguments = command.get_subcommands().flat_map(|role| role.get_arguments());
    arguments
        .filter_map(|argument| {
            Some((argument.get_env()?.to_str()?.to_owned(), argument.get_long()?.to_owned()))
        })
        .collect()
}

/// Starts the app's command line with these settings; its own words when it refuses.
pub fn config_of(role: &str, settings: &Settings) -> Result<Config, String> {
    let flags = flags();
    let mut line = vec!["photo-app".to_owned(), role.to_owned()];
    for (name, value) in settings {
        let flag = flags.get(name).ok_or(format!("{name} is no setting of the app"))?;
        line.push(format!("--{flag}={value}"));
    }
    let arguments = Arguments::try_parse_from(line).map_err(|error| error.to_string())?;
    let checked = match &arguments.role {
        Role::Serve(raw) | Role::Migrate(raw) => Config::check(raw),
        Role::Work(raw) => Config::check_worker(raw),
        Role::Seed(raw) => SeedConfig::check(raw).map(|seed| seed.config),
    };
    checked.map_err(|error| error.to_string())
}

/// Every word of a text that looks like a setting of the app, and that the app does not know.
pub fn unknown_words(text: &str) -> BTreeSet<String> {
    let known = flags();
    let letter = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !letter(c)).filter(|word| word.starts_with("PHOTO_APP_"));
    words.filter(|word| !known.contains_key(*word)).map(str::to_owned).collect()
}

#[test]
fn a_misspelt_setting_and_a_wrong_word_are_seen() {
    assert_eq!(unknown_words("PHOTO_APP_STOER=mysql PHOTO_APP_STORE").len(), 1);
    let settings = |name: &str, value: &str| Settings::from([(name.to_owned(), value.to_owned())]);
    let refused = config_of("serve", &settings("PHOTO_APP_STOER", "memory"));
    assert!(refused.expect_err("refused").contains("PHOTO_APP_STOER"));
    let refused = config_of("serve", &settings("PHOTO_APP_CACHE", "memcached"));
    assert!(refused.expect_err("refused").contains("use none, moka or redis"));
    assert!(config_of("serve", &settings("PHOTO_APP_STORE", "memory")).is_ok());
}
