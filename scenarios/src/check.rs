//! `check`: are the experiments sound? And `list`: which are there? Both read every TOML file completely and print all
//! mistakes of all files at once, each with file, line, column and the allowed values.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use loadgen::record::Depth;

use crate::experiment::section::{Problem, did_you_mean};
use crate::experiment::{self, Experiment, Source, read};
use crate::plan::Plan;

/// Some experiments cannot be used; every mistake is in the message.
#[derive(Debug, thiserror::Error)]
#[error("{}", rendered(.0))]
pub struct Unsound(pub Vec<Problem>);

fn rendered(problems: &[Problem]) -> String {
    let files: std::collections::BTreeSet<&Path> =
        problems.iter().map(|problem| problem.file.as_path()).collect();
    let mut text =
        format!("{} in {}:", counted(problems.len(), "mistake"), counted(files.len(), "file"));
    for problem in problems {
        let _ = write!(text, "\n  {problem}");
    }
    text
}

/// `1 mistake`, `2 mistakes`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Reads all sources; all mistakes of all files at once.
pub fn read_all(sources: &[Source]) -> Result<Vec<Experiment>, Unsound> {
    let mut experiments: Vec<Experiment> = Vec::new();
    let mut problems = Vec::new();
    for source in sources {
        match read::read(source) {
            Ok(experiment) => experiments.push(experiment),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(experiments) } else { Err(Unsound(problems)) }
}

/// The experiments of those names, or all when no name is given. An unknown name lists the known ones.
pub fn chosen(names: &[String], folder: Option<&Path>) -> anyhow::Result<Vec<Experiment>> {
    let sources = experiment::sources(folder)?;
    let known: Vec<String> = sources.iter().map(name_of).collect();
    for name in names {
        if !known.contains(name) {
            let near = did_you_mean(name, known.iter().map(String::as_str));
            anyhow::bail!("there is no experiment {name:?}; known: {}{near}", known.join(", "));
        }
    }
    let wanted = |source: &&Source| names.is_empty() || names.contains(&name_of(source));
    let sources: Vec<Source> = sources.iter().filter(wanted).cloned().collect();
    Ok(read_all(&sources)?)
}

/// The name under which a source is asked for.
fn name_of(source: &Source) -> String {
    source.file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The command `check`: one line per sound file.
pub fn check(files: &[PathBuf], folder: Option<&Path>) -> anyhow::Result<String> {
    let sources = if files.is_empty() {
        experiment::sources(folder)?
    } else {
        files.iter().cloned().map(experiment::source).collect::<anyhow::Result<Vec<_>>>()?
    };
    let experiments = read_all(&sources)?;
    let mut text = String::new();
    for (source, experiment) in sources.iter().zip(&experiments) {
        let variants = counted(experiment.variants.len(), "variant");
        let arrows = counted(experiment.arrows.len(), "arrow");
        writeln!(text, "{}: sound ({variants}, {arrows})", source.file.display())?;
    }
    Ok(text)
}

/// The command `list`: each experiment with its question, its variants and how long it takes.
pub fn list(folder: Option<&Path>) -> anyhow::Result<String> {
    let mut text = String::new();
    for experiment in chosen(&[], folder)? {
        let minutes = |depth| Plan::of(&experiment, depth, 1).estimate_ms().div_ceil(60_000);
        writeln!(text, "{}  {}", experiment.id, experiment.question)?;
        for variant in &experiment.variants {
            writeln!(text, "    {:<14}{}", variant.id, variant.label)?;
        }
        let [quick, standard, thorough] =
            [Depth::Quick, Depth::Standard, Depth::Thorough].map(minutes);
        let label = &experiment.axis.label;
        writeln!(
            text,
            "    multiplied: {label}; takes about {quick} min quick, {standard} min standard, {thorough} min thorough\n"
        )?;
    }
    Ok(text)
}
