//! Reads the few things that are wanted out of terraform's and compose's text: blocks, attributes, env lines. No parser of either
//! language: what is read is written simply on purpose, and what cannot be found fails the test that asked for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::app::Settings;

/// The clone's root, or that of a copy with a mistake planted in it (terraform/mistakes.sh).
pub fn root() -> PathBuf {
    if let Some(copy) = std::env::var_os("LIGHTMETER_ROOT") {
        return PathBuf::from(copy);
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("scenarios lies in the root").to_owned()
}

/// A file of the clone.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a folder whose names end so, as paths from the root.
pub fn files(folder: &str, ending: &str) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path.strip_prefix(root()).expect("inside the root").display().to_string();
            if path.is_dir() && !name.ends_with(".terraform") {
                folders.push(path);
            } else if name.ends_with(ending) {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// `NAME=value` lines.
pub fn env_lines(text: &str) -> Settings {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let pair = |line: &str| {
        let (name, value) =
            line.split_once('=').unwrap_or_else(|| panic!("`{line}` is no NAME=value"));
        (name.to_owned(), value.to_owned())
    };
    lines.map(pair).collect()
}

/// `name = value` lines of a stage file, without quotes.
pub fn tfvars(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(pair).collect()
}

/// The lines of a top-level block such as `variable "health_check_path" {`, up to its closing brace.
pub fn block(text: &str, header: &str) -> String {
    let (_, rest) = text.split_once(&format!("{header} {{\n")).unwrap_or_else(|| {
        panic!("no block `{header}`: was it renamed? Then this test needs its new name")
    });
    rest.split("\n}").next().unwrap_or_default().to_owned()
}

/// The first `attribute = value` of a text, without quotes and without a comment after it.
pub fn attribute(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        (left.trim() == name).then(|| right.split(" #").next().unwrap_or_default().trim())
    });
    let value = value.unwrap_or_else(|| panic!("no attribute `{name}` in:\n{text}"));
    value.trim_matches('"').to_owned()
}

/// The default of a variable.
pub fn default_of(path: &str, variable: &str) -> String {
    attribute(&block(&read(path), &format!("variable \"{variable}\"")), "default")
}

#[test]
fn blocks_and_attributes_are_found() {
    let text =
        "variable \"a\" {\n  default = 3 # three\n}\n\nvariable \"b\" {\n  default = \"/x\"\n}\n";
    assert_eq!(attribute(&block(text, "variable \"a\""), "default"), "3");
    assert_eq!(attribute(&block(text, "variable \"b\""), "default"), "/x");
    assert_eq!(env_lines("# talk\nA=b=c\n"), Settings::from([("A".into(), "b=c".into())]));
    assert_eq!(tfvars("# talk\ncache     = \"none\"\n")["cache"], "none");
}
