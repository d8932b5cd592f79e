//! A TOML file -> an [`Experiment`], or every mistake in it.
//!
//! Two passes: first each value on its own (kind, range, allowed words, unknown keys), through [`Section`]; then what
//! only makes sense together, which is in `sense`. A file with mistakes gives no experiment, never one with defaults in the place of what was misspelt.

use std::collections::BTreeMap;
use std::path::Path;

use loadgen::record::{Arrow, Clock, Depth, Measure, Quantity, Slo};
use toml::de::DeTable;

use super::depths::{DEPTHS, POPULATIONS, SLO_QUANTILES, default_counts, default_lengths};
use super::section::{Document, Problem, Section, did_you_mean};
use super::sense::{check_arrow, check_axis, check_operations, check_stack};
use super::{
    AxisPlan, Background, Budgets, Experiment, Lengths, Links, Load, Multiplies, PerDepth,
    Population, Region, Source, Stack, Variant,
};

/// What users can do, as the driver names it.
pub const OPERATIONS: &[&str] =
    &["home", "explore", "profile", "photo", "like", "comment", "follow", "page_view", "upload"];

/// The largest count on an axis: one machine has no room for more.
const COUNT_MAX: u32 = 64;
/// An hour: no trial is longer.
const TRIAL_MS_MAX: u32 = 3_600_000;

/// Reads one file.
pub fn read(source: &Source) -> Result<Experiment, Vec<Problem>> {
    let document = Document::new(&source.file, &source.text);
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        document.problem(error.span().unwrap_or(0..0), error.message().trim());
    }
    // After a mistake in the syntax the rest of the tree is guesswork: say only what is certain.
    if !errors.is_empty() {
        return Err(document.into_problems());
    }
    let experiment = read_top(&Section::top(&document, table.get_ref()), &source.file);
    let problems = document.into_problems();
    match experiment {
        Some(experiment) if problems.is_empty() => Ok(experiment),
        _ => Err(problems),
    }
}

fn read_top(top: &Section<'_, '_>, file: &Path) -> Option<Experiment> {
    let id = top.required("id", "the file's name without .toml", top.text("id"));
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if let Some(id) = id.as_deref().filter(|id| *id != stem) {
        top.problem_at("id", format_args!("{id:?} in a file called {stem}.toml; both must agree"));
    }
    let title = top.required("title", "a heading", top.text("title"));
    let question = top.required("question", "the one question", top.text("question"));
    let lesson = top.required("lesson", "what the room should learn", top.text("lesson"));
    let axis = section(top, "axis", "label, multiplies and counts", read_axis);
    let budgets = top.section("budgets").map_or_else(Default::default, read_budgets);
    let links = top.section("links").map_or_else(Links::default, read_links);
    let load = section(top, "load", "at least a mix", read_load);
    let slo = section(top, "slo", "at least latency_ms", read_slo);
    let performance = read_measures(top, "performance", &links.regions);
    if performance.is_empty() {
        top.problem_at("performance", "at least one [[performance]] measure is needed");
    }
    let unchanged = read_measures(top, "unchanged", &links.regions);
    let variants = section(top, "variants", "at least two, [variants.before] and one more", |s| {
        Some(read_variants(s))
    });
    let arrows = read_arrows(top, variants.as_deref().unwrap_or_default());
    let population = read_population(top);
    let lengths = read_lengths(top);
    check_axis(top, axis.as_ref(), variants.as_deref().unwrap_or_default());
    check_operations(top, load.as_ref(), slo.as_ref(), &performance, &unchanged);
    top.report_unknown();
    Some(Experiment {
        id: id?,
        title: title?,
        question: question?,
        lesson: lesson?,
        axis: axis?,
        budgets,
        links,
        load: load?,
        slo: slo?,
        performance,
        unchanged,
        variants: variants?,
        arrows,
        population,
        lengths,
    })
}

/// A required table, read by `read`.
fn section<'a, 'i, T>(
    top: &Section<'a, 'i>,
    key: &'static str,
    what: &str,
    read: impl FnOnce(Section<'a, 'i>) -> Option<T>,
) -> Option<T> {
    top.required(key, what, top.section(key)).and_then(read)
}

fn read_axis(axis: Section<'_, '_>) -> Option<AxisPlan> {
    let label = axis.required("label", "what is multiplied, in the plural", axis.text("label"));
    let multiplies = axis.required(
        "multiplies",
        &format!("one of {}", Multiplies::ALLOWED.join(", ")),
        axis.choice("multiplies", Multiplies::ALLOWED),
    );
    let mut counts = default_counts();
    if let Some(section) = axis.section("counts") {
        for (word, depth) in DEPTHS {
            let Some(found) = section.counts(word, 1..=COUNT_MAX) else { continue };
            if found.first() != Some(&1) || !found.is_sorted_by(|left, right| left < right) {
                section.problem_at(word, "counts must begin with 1 and ascend");
            }
            *of(&mut counts, depth) = found;
        }
        section.report_unknown();
    }
    axis.report_unknown();
    let multiplies = multiplies.and_then(Multiplies::parse)?;
    Some(AxisPlan { label: label?, multiplies, counts })
}

fn of<T>(values: &mut PerDepth<T>, depth: Depth) -> &mut T {
    match depth {
        Depth::Quick => &mut values.quick,
        Depth::Standard => &mut values.standard,
        Depth::Thorough => &mut values.thorough,
    }
}

fn read_budgets(budgets: Section<'_, '_>) -> Budgets {
    // 1 ms of every 20 ms is the kernel's smallest quota.
    let share = |key| budgets.number(key, 0.01..=64.0);
    let read = Budgets { web: share("web"), worker: share("worker"), database: share("database") };
    budgets.report_unknown();
    read
}

fn read_links(links: Section<'_, '_>) -> Links {
    let web_mbit_per_s = links.number("web_mbit_per_s", 0.1..=100_000.0);
    let mut regions = Vec::new();
    for region in links.sections("regions") {
        let name = region.required("name", "near, far, ...", region.text("name"));
        let rtt = |key| region.required(key, "milliseconds", region.number(key, 0.0..=2_000.0));
        let (rtt_ms, cdn_rtt_ms) = (rtt("rtt_ms"), rtt("cdn_rtt_ms"));
        region.report_unknown();
        if let (Some(name), Some(rtt_ms), Some(cdn_rtt_ms)) = (name, rtt_ms, cdn_rtt_ms) {
            regions.push(Region { name, rtt_ms, cdn_rtt_ms });
        }
    }
    links.report_unknown();
    Links { web_mbit_per_s, regions }
}

fn read_load(load: Section<'_, '_>) -> Option<Load> {
    let mix = load.required("mix", "operation = weight", load.section("mix"));
    let mix = mix.map(|mix| read_mix(&mix)).unwrap_or_default();
    let one_user_mix = load.section("one_user_mix").map(|mix| read_mix(&mix));
    let whole = |key, default, most| load.count(key, 1..=most).unwrap_or(default);
    let background = load.sections("background").into_iter().filter_map(read_background);
    let read = Load {
        one_user_mix: one_user_mix.unwrap_or_else(|| mix.clone()),
        mix,
        picture: load.choice("picture", Load::PICTURES).unwrap_or("small"),
        filter: load.text("filter").unwrap_or_else(|| "original".to_owned()),
        in_flight_max: whole("in_flight_max", 512, 100_000),
        probe_users: whole("probe_users", 32, 10_000),
        connections_per_target_max: whole("connections_per_target_max", 128, 10_000),
        request_timeout_ms: whole("request_timeout_ms", 5_000, 600_000).into(),
        drain_ms: whole("drain_ms", 1_500, 600_000).into(),
        verify_every: whole("verify_every", 20, 1_000_000),
        background: background.collect(),
    };
    load.report_unknown();
    Some(read)
}

fn read_mix(mix: &Section<'_, '_>) -> BTreeMap<String, f64> {
    let weights = mix.named_numbers(OPERATIONS, 0.0..=1_000.0);
    if weights.iter().all(|(_, weight)| *weight == 0.0) {
        mix.note("at least one operation needs a weight above 0");
    }
    mix.report_unknown();
    let present = weights.into_iter().filter(|(_, weight)| *weight > 0.0);
    present.map(|(operation, weight)| (operation.to_owned(), weight)).collect()
}

fn read_background(background: Section<'_, '_>) -> Option<Background> {
    let operation = background.choice("operation", OPERATIONS);
    let operation = background.required("operation", "what goes on beside the mix", operation);
    let rate = background.number("rate_per_s", 0.01..=100_000.0);
    let rate_per_s = background.required("rate_per_s", "how often", rate);
    background.report_unknown();
    Some(Background { operation: operation?.to_owned(), rate_per_s: rate_per_s? })
}

const CLOCKS: &[&str] =
    &["planned_first", "planned_last", "sent_first", "sent_last", "planned_finished"];

fn clock(section: &Section<'_, '_>) -> Clock {
    let word = section.choice("clock", CLOCKS).unwrap_or("planned_last");
    Clock::ALL.into_iter().find(|clock| clock.as_str() == word).unwrap_or(Clock::PlannedLast)
}

fn quantity(section: &Section<'_, '_>) -> Quantity {
    match section.choice("quantity", &["latency", "body_bytes"]) {
        Some("body_bytes") => Quantity::BodyBytes,
        _ => Quantity::Latency,
    }
}

fn operations(section: &Section<'_, '_>) -> Vec<String> {
    let words = section.choices("operations", OPERATIONS).unwrap_or_default();
    words.into_iter().map(str::to_owned).collect()
}

fn read_slo(slo: Section<'_, '_>) -> Option<PerDepth<Slo>> {
    let latency = slo.number("latency_ms", 0.1..=600_000.0);
    let latency_ms = slo.required("latency_ms", "the bound in milliseconds", latency);
    let mut quantiles = SLO_QUANTILES;
    if let Some(section) = slo.section("quantile") {
        for (word, depth) in DEPTHS {
            if let Some(quantile) = section.number(word, 0.5..=0.9999) {
                *of(&mut quantiles, depth) = quantile;
            }
        }
        section.report_unknown();
    }
    let (clock, operations) = (clock(&slo), operations(&slo));
    let error_ratio_max = slo.number("error_ratio_max", 0.0..=1.0).unwrap_or(0.001);
    let achieved_ratio_min = slo.number("achieved_ratio_min", 0.5..=1.0).unwrap_or(0.99);
    slo.report_unknown();
    let latency_ms = latency_ms?;
    let at = |quantile| Slo {
        latency_ms,
        quantile,
        clock,
        operations: operations.clone(),
        error_ratio_max,
        achieved_ratio_min,
    };
    Some(PerDepth {
        quick: at(quantiles.quick),
        standard: at(quantiles.standard),
        thorough: at(quantiles.thorough),
    })
}

fn read_measures(top: &Section<'_, '_>, key: &'static str, regions: &[Region]) -> Vec<Measure> {
    let mut measures = Vec::new();
    for section in top.sections(key) {
        let id = section.required("id", "as in summary.json", section.text("id"));
        let label = section.required("label", "for headings", section.text("label"));
        let (clock, mut operations) = (clock(&section), operations(&section));
        let quantile = section.number("quantile", 0.01..=0.9999).unwrap_or(0.5);
        let quantity = quantity(&section);
        if let Some(region) = read_region(&section, regions, &operations) {
            // The driver's name for an operation of one region's users.
            operations
                .iter_mut()
                .for_each(|operation| *operation = format!("{operation}.{region}"));
        }
        section.report_unknown();
        if let (Some(id), Some(label)) = (id, label) {
            measures.push(Measure { id, label, operations, clock, quantile, quantity });
        }
    }
    measures
}

/// The region whose users a measure is about; none for all of them.
fn read_region(
    section: &Section<'_, '_>,
    regions: &[Region],
    operations: &[String],
) -> Option<String> {
    let region = section.text("region")?;
    if operations.is_empty() {
        section.problem_at("region", "needs operations beside it");
    }
    let names: Vec<&str> = regions.iter().map(|known| known.name.as_str()).collect();
    if !names.contains(&region.as_str()) {
        let near = did_you_mean(&region, names.iter().copied());
        let message = format!("{region:?} is no region; allowed: {}{near}", names.join(", "));
        section.problem_at("region", message);
    }
    Some(region)
}

fn read_variants(variants: Section<'_, '_>) -> Vec<Variant> {
    let named = variants.named_sections();
    if named.len() < 2 {
        variants.note("at least two variants are needed: a before and an after");
    }
    named.into_iter().filter_map(|(id, section)| read_variant(id, &section)).collect()
}

fn read_variant(id: String, section: &Section<'_, '_>) -> Option<Variant> {
    let label = section.required("label", "for legends", section.text("label"));
    let depths = match section.choices("depths", &["quick", "standard", "thorough"]) {
        Some(words) => DEPTHS.iter().filter(|(word, _)| words.contains(word)).collect(),
        None => DEPTHS.iter().collect::<Vec<_>>(),
    };
    let word =
        |key, allowed: &[&'static str], default| section.choice(key, allowed).unwrap_or(default);
    let most = COUNT_MAX;
    let stack = Stack {
        store: word("store", Stack::STORES, "mysql"),
        store_nodes: section.count("store_nodes", 1..=most).unwrap_or(1),
        assets: word("assets", Stack::ASSETS, "local"),
        cdn: section.flag("cdn").unwrap_or(false),
        cache: word("cache", Stack::CACHES, "none"),
        sessions: word("sessions", Stack::SESSIONS, "cookie"),
        jobs: word("jobs", Stack::JOBS, "inline"),
        renditions: word("renditions", Stack::RENDITIONS, "jpeg"),
        web_count: section.count("web_count", 1..=most).unwrap_or(1),
        worker_count: section.count("worker_count", 0..=most).unwrap_or(0),
        balancer: section.flag("balancer").unwrap_or(false),
    };
    let variant = Variant {
        id,
        label: label.unwrap_or_default(),
        scales: section.flag("scales").unwrap_or(true),
        depths: depths.into_iter().map(|(_, depth)| *depth).collect(),
        budgets: section.section("budgets").map_or_else(Default::default, read_budgets),
        stack,
    };
    check_stack(section, &variant.stack);
    section.report_unknown();
    (!variant.label.is_empty()).then_some(variant)
}

fn read_arrows(top: &Section<'_, '_>, variants: &[Variant]) -> Vec<Arrow> {
    let names: Vec<&str> = variants.iter().map(|variant| variant.id.as_str()).collect();
    let mut arrows = Vec::new();
    for section in top.sections("arrows") {
        let label = section.required("label", "the cure in a word or two", section.text("label"));
        let end = |key| {
            let name = section.required(key, "the name of a variant", section.text(key))?;
            if !names.contains(&name.as_str()) && !names.is_empty() {
                let near = did_you_mean(&name, names.iter().copied());
                let message =
                    format!("{name:?} is no variant; allowed: {}{near}", names.join(", "));
                section.problem_at(key, message);
            }
            Some(name)
        };
        let (before, after) = (end("before"), end("after"));
        let changes = section.choices("changes", Stack::SETTINGS);
        let changes = section.required("changes", "the settings that may differ", changes);
        section.report_unknown();
        if let (Some(label), Some(before), Some(after), Some(changes)) =
            (label, before, after, changes)
        {
            check_arrow(&section, variants, (&before, &after), &changes);
            let changes = changes.into_iter().map(str::to_owned).collect();
            arrows.push(Arrow { label, before, after, changes });
        }
    }
    if arrows.is_empty() && !top.has("arrows") {
        top.problem_at(
            "arrows",
            "at least one [[arrows]] is needed: which cure is judged against what",
        );
    }
    arrows
}

fn read_population(top: &Section<'_, '_>) -> PerDepth<Population> {
    let mut population = POPULATIONS;
    let Some(section) = top.section("population") else { return population };
    for (word, depth) in DEPTHS {
        let Some(at) = section.section(word) else { continue };
        let value = of(&mut population, depth);
        // 20 cards make a feed page: fewer people or photos than that would measure something else.
        value.people = at.count("people", 20..=1_000_000).unwrap_or(value.people);
        value.photos = at.count("photos", 20..=100_000_000).unwrap_or(value.photos);
        value.pictures = at.count("pictures", 1..=10_000).unwrap_or(value.pictures);
        value.follows_mean = at.count("follows_mean", 1..=1_000).unwrap_or(value.follows_mean);
        at.report_unknown();
    }
    section.report_unknown();
    population
}

fn read_lengths(top: &Section<'_, '_>) -> PerDepth<Lengths> {
    let mut lengths = default_lengths();
    let Some(section) = top.section("lengths") else { return lengths };
    for (word, depth) in DEPTHS {
        let Some(at) = section.section(word) else { continue };
        let value = of(&mut lengths, depth);
        let ms = |key, default: u64| at.count(key, 100..=TRIAL_MS_MAX).map_or(default, u64::from);
        value.warm_up_ms = ms("warm_up_ms", value.warm_up_ms);
        value.performance_ms = ms("performance_ms", value.performance_ms);
        value.probe_ms = ms("probe_ms", value.probe_ms);
        value.level_ms = ms("level_ms", value.level_ms);
        value.capacity_ms = ms("capacity_ms", value.capacity_ms);
        let many = |key, least, default| at.count(key, least..=1_000).unwrap_or(default);
        // Two pairs are the least that shows any spread.
        value.performance_pairs = many("performance_pairs", 2, value.performance_pairs);
        value.aa_pairs = many("aa_pairs", 1, value.aa_pairs);
        value.capacity_steps = many("capacity_steps", 1, value.capacity_steps);
        value.capacity_pairs = many("capacity_pairs", 1, value.capacity_pairs);
        value.middle_searches = many("middle_searches", 1, value.middle_searches);
        if let Some(fractions) = at.numbers("level_fractions", 0.01..=10.0) {
            if !fractions.is_sorted_by(|left, right| left < right) {
                at.problem_at("level_fractions", "fractions must ascend");
            }
            value.level_fractions = fractions;
        }
        at.report_unknown();
    }
    section.report_unknown();
    lengths
}
