//! Findings and figures to one self-contained page: no network, no script, light and dark, phone to projector, and print.
//!
//! `view` turns figures into the strings that the template shows; `appendix` does the same for the page's second half, `cloud` for
//! what AWS said of deployed stages. The template
//! decides nothing but order and markup.

use askama::Template;
use loadgen::record::cloud::CloudRecord;

use crate::charts::style::{css_variables, themed};
use crate::charts::{Chart, Charts};
use crate::findings::Analysis;
use crate::text::plain;

mod appendix;
mod cloud;
mod view;

/// The page.
#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    css: String,
    run: String,
    commit: String,
    real: bool,
    interrupted: bool,
    damaged: usize,
    subtitle: String,
    answers: Vec<view::Answer>,
    map: Figure,
    experiments: Vec<view::Experiment>,
    not_improved: Vec<view::Said>,
    untold: Vec<String>,
    tiles: Vec<appendix::Tile>,
    warnings: Vec<appendix::WarningText>,
    facts: Vec<(String, String)>,
    stand_ins: Vec<loadgen::record::StandIn>,
    substitutions: Vec<loadgen::record::Substitution>,
    stacks: Vec<appendix::Stack>,
    usage: Vec<appendix::Usage>,
    cloud: Vec<cloud::Stage>,
    cloud_stretch: String,
    notes: Vec<String>,
    command: String,
    files: Vec<String>,
}

/// A figure in both widths.
struct Figure {
    file: String,
    wide: String,
    narrow: String,
    caption: String,
}

impl Figure {
    fn new(chart: &Chart, caption: &str) -> Self {
        Self {
            file: chart.file.clone(),
            wide: themed(&chart.wide),
            narrow: themed(&chart.narrow),
            caption: caption.to_owned(),
        }
    }
}

/// Renders the page. `files` are the names of the CSV files beside it, `notes` what the reader of the directory observed, `cloud` what
/// AWS said of deployed stages.
pub fn page(
    analysis: &Analysis<'_>,
    charts: &Charts,
    files: &[String],
    notes: &[String],
    cloud: Option<&CloudRecord>,
) -> Result<String, askama::Error> {
    let run = analysis.run;
    let mut page = Page {
        css: css(),
        run: run.run.clone(),
        commit: run.commit.clone(),
        real: run.mode == loadgen::record::Reality::Real,
        interrupted: run.interrupted || run.finished_at.is_none(),
        damaged: analysis.damaged.len(),
        subtitle: appendix::subtitle(run),
        answers: view::answers(analysis),
        map: Figure::new(&charts.map, ""),
        experiments: view::experiments(analysis, charts),
        not_improved: view::not_improved(analysis),
        untold: view::untold(analysis),
        tiles: appendix::tiles(analysis),
        warnings: appendix::warnings(analysis),
        facts: appendix::facts(run),
        stand_ins: run.stand_ins.clone(),
        substitutions: run.substitutions.clone(),
        stacks: appendix::stacks(run),
        usage: appendix::usage(analysis),
        cloud: cloud::stages(cloud),
        cloud_stretch: cloud::stretch(cloud),
        notes: appendix::notes(analysis),
        command: run.command.join(" "),
        files: files.to_vec(),
    };
    page.notes.extend(notes.iter().cloned());
    Ok(plain(&page.render()?) + "\n")
}

/// The style sheet with the figures' palette: light by default and in print, dark where the reader's system asks for it.
fn css() -> String {
    let (light, dark) = css_variables();
    format!(
        ":root{{color-scheme:light dark;--page:#F7F8FA;{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{--page:#0E1013;{dark}}}}}\n{}",
        include_str!("../templates/report.css")
    )
}
