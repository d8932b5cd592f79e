//! The experiments as files: all that come with the program are sound, and every kind of mistake is explained with its
//! place and the allowed values.

use std::path::{Path, PathBuf};

use lightmeter::check;
use lightmeter::experiment::{self, Source, read};

/// A sound experiment, as small as they get; tests break it in one place.
const SOUND: &str = r#"
id = "tiny"
title = "Tiny"
question = "Is it sound?"
lesson = "It is."

[axis]
label = "web servers"
multiplies = "web_count"

[load]
mix = { home = 0.5, photo = 0.5 }

[slo]
latency_ms = 250

[[performance]]
id = "median_ms_one_user"
label = "page time"
operations = ["home"]

[variants.before]
label = "one server"
scales = false

[variants.after]
label = "many servers"
balancer = true

[[arrows]]
label = "Load balancer"
before = "before"
after = "after"
changes = ["balancer", "web_count"]
"#;

fn problems(text: &str) -> Vec<String> {
    let source = Source { file: PathBuf::from("tiny.toml"), text: text.to_owned() };
    match read::read(&source) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_experiment_in_the_folder_is_sound_and_is_the_embedded_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let sources = experiment::sources(Some(&folder)).expect("the folder can be read");
    check::read_all(&sources).expect("every experiment is sound");
    let embedded: Vec<String> =
        experiment::embedded().into_iter().map(|source| source.text).collect();
    let files: Vec<String> = sources.into_iter().map(|source| source.text).collect();
    assert_eq!(files, embedded);
}

#[test]
fn the_smallest_experiment_is_sound() {
    assert_eq!(problems(SOUND), Vec::<String>::new());
}

#[test]
fn each_kind_of_mistake_names_its_place_and_what_is_allowed() {
    // (what is replaced, by what, what the message must contain)
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "title = \"Tiny\"",
            "titel = \"Tiny\"",
            &["tiny.toml:3:1", "titel", "did you mean \"title\""],
        ),
        ("title = \"Tiny\"", "", &["title: missing"]),
        (
            "title = \"Tiny\"",
            "title = 3",
            &["tiny.toml:3:9", "title: the whole number 3", "text in quotes"],
        ),
        ("title = \"Tiny\"", "title = \"\"", &["title: must not be empty"]),
        ("id = \"tiny\"", "id = \"small\"", &["tiny.toml:2:6", "\"small\"", "tiny.toml"]),
        (
            "\"web_count\"\n\n[load]",
            "\"webs\"\n\n[load]",
            &["axis.multiplies: \"webs\"", "web_count, worker_count, store_nodes"],
        ),
        (
            "home = 0.5",
            "hime = 0.5",
            &["tiny.toml:12:9", "unknown key \"hime\" in load.mix", "did you mean \"home\""],
        ),
        ("home = 0.5", "home = -1", &["load.mix.home: -1 is out of range", "0 to 1000"]),
        (
            "latency_ms = 250",
            "latency_ms = \"fast\"",
            &["slo.latency_ms: the text \"fast\"", "a number"],
        ),
        (
            "latency_ms = 250",
            "latency_ms = 250\nclock = \"first\"",
            &["slo.clock: \"first\"", "planned_first, planned_last"],
        ),
        (
            "latency_ms = 250",
            "latency_ms = 250\nclock = \"planned_finished\"",
            &["needs upload in the mix"],
        ),
        (
            "operations = [\"home\"]",
            "operations = [\"upload\"]",
            &["performance: \"upload\" is not in the load", "home, photo"],
        ),
        (
            "operations = [\"home\"]",
            "operations = [\"hom\"]",
            &["\"hom\" is not allowed", "did you mean \"home\""],
        ),
        ("[[performance]]\nid", "[[unchanged]]\nid", &["at least one [[performance]]"]),
        (
            "balancer = true",
            "balancer = \"yes\"",
            &["variants.after.balancer: the text \"yes\"", "true or false"],
        ),
        (
            "balancer = true",
            "balancer = true\nstore = \"mysq1\"",
            &[
                "\"mysq1\" is not allowed",
                "sqlite, mysql, replicated, sharded, dynamodb",
                "did you mean \"mysql\"",
            ],
        ),
        (
            "balancer = true",
            "balancer = true\nstore_nodes = 2",
            &["store = \"mysql\" has one node"],
        ),
        ("balancer = true", "balancer = true\ncdn = true", &["a CDN needs assets = \"s3\""]),
        ("balancer = true", "balancer = true\njobs = \"sqs\"", &["needs at least one worker"]),
        ("balancer = true", "balancer = true\nworker_count = 2", &["workers need jobs = \"sqs\""]),
        (
            "balancer = true",
            "balancer = true\ndepths = [\"fast\"]",
            &["variants.after.depths: \"fast\"", "quick, standard, thorough"],
        ),
        ("balancer = true", "balancer = true\ncache = \"moka\"", &["also differ in cache"]),
        (
            "balancer = true",
            "balancer = false",
            &["\"after\" cannot be multiplied", "balancer = true"],
        ),
        (
            "after = \"after\"",
            "after = \"aftr\"",
            &["arrows[0].after: \"aftr\" is no variant", "before, after", "did you mean \"after\""],
        ),
        (
            "changes = [\"balancer\", \"web_count\"]",
            "changes = [\"ballancer\"]",
            &["\"ballancer\" is not allowed", "did you mean \"balancer\""],
        ),
        (
            "[slo]",
            "[lengths.quick]\ncapacity_pairs = 0\n\n[slo]",
            &["lengths.quick.capacity_pairs: 0 is out of range", "1 to 1000"],
        ),
        (
            "[slo]",
            "[lengths.quik]\ncapacity_pairs = 1\n\n[slo]",
            &["unknown key \"quik\" in lengths", "did you mean \"quick\""],
        ),
        (
            "[slo]",
            "[lengths.quick]\nlevel_fractions = [0.5, 0.2]\n\n[slo]",
            &["fractions must ascend"],
        ),
        (
            "[slo]",
            "[budgets]\nweb = 0.001\n\n[slo]",
            &["budgets.web: 0.001 is out of range", "0.01 to 64"],
        ),
        (
            "[slo]",
            "[population.quick]\npeople = 1\n\n[slo]",
            &["population.quick.people: 1 is out of range"],
        ),
        (
            "[load]",
            "[axis.counts]\nquick = [2, 4]\n\n[load]",
            &["axis.counts.quick: counts must begin with 1"],
        ),
        (
            "[load]",
            "[load]\npicture = \"big\"",
            &["load.picture: \"big\" is not allowed", "tiny, small, medium"],
        ),
        (
            "[load]",
            "[load]\nbackground = [{ operation = \"home\" }]",
            &["load.background[0].rate_per_s: missing"],
        ),
        (
            "operations = [\"home\"]",
            "operations = [\"home\"]\nregion = \"far\"",
            &["\"far\" is no region"],
        ),
        ("[slo]", "[slo", &["tiny.toml:14:"]),
    ];
    for (wanted, broken, expected) in cases {
        assert!(SOUND.contains(wanted), "the case {wanted:?} does not apply");
        let found = problems(&SOUND.replacen(wanted, broken, 1));
        let all = found.join("\n");
        for words in *expected {
            assert!(all.contains(words), "{broken:?}: {words:?} is not in:\n{all}");
        }
    }
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_file() {
    let broken = SOUND
        .replacen("title =", "titel =", 1)
        .replacen("latency_ms = 250", "latency_ms = true", 1)
        .replacen("after = \"after\"", "after = \"nobody\"", 1);
    let found = problems(&broken);
    let place = |words: &str| found.iter().position(|problem| problem.contains(words));
    let order = [place("titel"), place("slo.latency_ms"), place("\"nobody\"")];
    assert!(order.iter().all(Option::is_some), "{found:#?}");
    assert!(order.is_sorted(), "{found:#?}");
}

#[test]
fn an_unknown_experiment_lists_the_known_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let error = check::chosen(&["framwork".to_owned()], Some(&folder)).expect_err("unknown");
    let message = error.to_string();
    assert!(message.contains("database, assets, framework, imaging"), "{message}");
    assert!(message.contains("did you mean \"framework\""), "{message}");
}

#[test]
fn a_variant_is_added_by_an_edit_of_the_file_alone() {
    let longer = SOUND.replacen(
        "[[arrows]]",
        "[variants.cached]\nlabel = \"cache\"\ncache = \"moka\"\nscales = false\n\n[[arrows]]\nlabel = \"Cache\"\nbefore = \"before\"\nafter = \"cached\"\nchanges = [\"cache\"]\n\n[[arrows]]",
        1,
    );
    let source = Source { file: PathBuf::from("tiny.toml"), text: longer };
    let experiment = read::read(&source).expect("sound");
    let plan = lightmeter::plan::Plan::of(&experiment, loadgen::record::Depth::Quick, 1);
    assert!(plan.stacks.iter().any(|stack| stack.variant == "cached"));
}
