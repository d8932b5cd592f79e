//! Figures as SVG, a file per figure: `map` (all cures), and per cure `latency`, `capacity` and `pairs`.
//!
//! Each comes twice: wide for files, projectors and print, narrow for phones. `canvas` draws marks, `axes` the frame, `style`
//! holds the palette and the type scale. Text is SVG text; no font is embedded or asked for.

use loadgen::record::Reality;

use crate::findings::{Analysis, ArrowAnalysis, ExperimentAnalysis};

pub mod axes;
pub mod canvas;
pub mod capacity;
pub mod latency;
pub mod map;
pub mod pairs;
pub mod style;

use style::{NARROW, Size, WIDE};

/// One figure.
#[derive(Debug, Clone)]
pub struct Chart {
    /// In `report/`: `database-latency-vs-load.svg`.
    pub file: String,
    /// The file's content.
    pub wide: String,
    /// The same for narrow pages.
    pub narrow: String,
}

/// The figures of one cure.
#[derive(Debug, Clone)]
pub struct ArrowCharts {
    /// Latency against offered load.
    pub latency: Chart,
    /// Capacity against instances.
    pub capacity: Chart,
    /// Paired differences.
    pub pairs: Chart,
}

impl ArrowCharts {
    /// In the order of the page.
    pub fn all(&self) -> [&Chart; 3] {
        [&self.latency, &self.capacity, &self.pairs]
    }
}

/// All figures of a run.
#[derive(Debug, Clone)]
pub struct Charts {
    /// The map.
    pub map: Chart,
    /// Per experiment, per arrow.
    pub experiments: Vec<Vec<ArrowCharts>>,
}

/// Draws everything.
pub fn charts(analysis: &Analysis<'_>) -> Charts {
    let experiments = analysis.experiments.iter().map(|experiment| {
        let arrows = experiment.arrows.iter();
        arrows.map(|arrow| of_arrow(analysis, experiment, arrow)).collect()
    });
    Charts {
        map: both("map.svg", |size| map::map(analysis, size)),
        experiments: experiments.collect(),
    }
}

fn of_arrow(
    analysis: &Analysis<'_>,
    experiment: &ExperimentAnalysis<'_>,
    arrow: &ArrowAnalysis<'_>,
) -> ArrowCharts {
    let id = &experiment.record.id;
    // One cure: named after the experiment; several: after the variant as well.
    let stem = file_stem(&match experiment.arrows.len() {
        1 => id.clone(),
        _ => format!("{id}-{}", arrow.arrow.after),
    });
    let run = analysis.run;
    let simulated = run.mode == Reality::Simulated && !arrow.simulated.is_empty();
    let budgets = !run.machine.budgets.starts_with("none");
    ArrowCharts {
        latency: both(&format!("{stem}-latency-vs-load.svg"), |size| {
            latency::latency(experiment, arrow, size, simulated)
        }),
        capacity: both(&format!("{stem}-capacity-vs-instances.svg"), |size| {
            capacity::capacity(experiment, arrow, size, simulated, budgets)
        }),
        pairs: both(&format!("{stem}-paired-differences.svg"), |size| {
            pairs::pairs(arrow, size, simulated)
        }),
    }
}

/// A name that stays a file in the report's folder and a harmless link, whatever the experiment is called.
fn file_stem(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect()
}

fn both(file: &str, figure: impl Fn(Size) -> String) -> Chart {
    Chart { file: file.to_owned(), wide: figure(WIDE), narrow: figure(NARROW) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stays_in_its_folder_whatever_an_experiment_is_called() {
        assert_eq!(file_stem("framework-cache_2.0"), "framework-cache_2.0");
        assert_eq!(file_stem("../../etc/x"), ".._.._etc_x");
        assert_eq!(file_stem("javascript:alert(1)//"), "javascript_alert_1___");
    }
}
