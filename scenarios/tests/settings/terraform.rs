//! Every stage's settings through the app's own checks, and terraform's constants against the app's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use photo_app::assets::AssetKey;
use photo_app::assets::slots::UploadId;
use photo_app::config::{Config, arguments::RawSettings};
use photo_app::jobs::worker::BEATS;
use photo_app::model::{PhotoId, PictureFormat, RenditionFormat, UserId, VersionId};
use photo_app::state::AppState;
use tokio_util::sync::CancellationToken;

use crate::app::{Settings, config_of, unknown_words};
use crate::text::{attribute, block, default_of, env_lines, files, read, tfvars};

/// What terraform puts in the place of `${name}`: something of the right shape.
fn made(name: &str, database: &str) -> String {
    let node = |number| format!("mysql://u:p@node-{number}:3306/photos?ssl-mode=REQUIRED");
    match name {
        "store_url" if database == "rds" => node(1),
        "store_url" => format!("{},{}", node(1), node(2)),
        "dynamodb_table" => "lightmeter-1-database".to_owned(),
        "s3_bucket" => "someone-pictures".to_owned(),
        "assets_public_url" => "http://d1.cloudfront.net".to_owned(),
        "redis_url" => "rediss://cache.example.internal:6379".to_owned(),
        "sqs_queue_url" => "https://sqs.us-east-1.amazonaws.com/123456789012/jobs".to_owned(),
        "job_visibility_s" | "job_concurrency" | "store_connections_max" => {
            default_of("terraform/variables.tf", name)
        }
        "shutdown_grace_ms" => {
            format!("{}000", default_of("terraform/variables.tf", "shutdown_grace_s"))
        }
        other => panic!(
            "a fragment names ${{{other}}}, which terraform/settings.tf (local.made) and this test do not know"
        ),
    }
}

/// What the boot script puts in the place of `%WORD%`.
const WORDS: [(&str, &str); 4] = [
    ("%INSTANCE%", "i-0123456789abcdef0"),
    ("%DATABASE_USER%", "photo_app"),
    ("%DATABASE_PASSWORD%", "0123456789"),
    ("%SESSION_SECRET%", "012345678901234567890123456789012345678901234567"),
];

/// The fragments of a role, chosen as terraform/settings.tf chooses them.
fn fragments(role: &str, stage: &BTreeMap<String, String>) -> Vec<String> {
    let choice = |name: &str| format!("{name}-{}", stage[name]);
    let mut names = vec![role.to_owned()];
    if role == "web" {
        names.push(choice("balancer"));
    }
    names.extend(["database", "assets", "cache", "jobs"].map(choice));
    names
}

fn settings_of(role: &str, stage: &BTreeMap<String, String>) -> Settings {
    let mut settings = Settings::new();
    for name in fragments(role, stage) {
        let lines = env_lines(&read(&format!("terraform/settings/{name}.env")));
        for (setting, mut value) in lines {
            if let Some(name) = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
                value = made(name, &stage["database"]);
            }
            for (word, text) in WORDS {
                value = value.replace(word, text);
            }
            assert!(!value.contains('%'), "{name}: {setting} has an unknown %WORD%: {value}");
            settings.insert(setting, value);
        }
    }
    settings
}

/// Every stage file, and those choices of terraform/variables.tf that no stage file makes.
fn stages() -> Vec<(String, BTreeMap<String, String>)> {
    let mut stages: Vec<_> = files("terraform/stages", ".tfvars")
        .into_iter()
        .map(|path| (path.clone(), tfvars(&read(&path))))
        .collect();
    assert_eq!(stages.len(), 5, "the course has five stages");
    let (_, last) = stages.last().expect("five of them").clone();
    let choices = [
        ("database", "rds_replicas"),
        ("database", "rds_shards"),
        ("database", "dynamodb"),
        ("cache", "moka"),
    ];
    for (name, word) in choices {
        let mut other = last.clone();
        other.insert(name.to_owned(), word.to_owned());
        stages.push((format!("4-imaging with {name} = {word}"), other));
    }
    stages
}

#[test]
fn the_app_would_start_with_the_settings_of_every_stage() {
    for (name, stage) in stages() {
        let roles = if stage["jobs"] == "sqs" {
            &[("web", "serve"), ("worker", "work")][..]
        } else {
            &[("web", "serve")]
        };
        for (role, word) in roles {
            let config = config_of(word, &settings_of(role, &stage));
            let config = config.unwrap_or_else(|error| panic!("{name}, {role}: {error}"));
            let reported = config.settings();
            assert_eq!(reported["cache"], stage["cache"], "{name}");
            assert_eq!(reported["assets"], stage["assets"], "{name}");
            let uploads = if stage["assets"] == "s3" { "presigned" } else { "app" };
            assert_eq!(reported["assets_uploads"], uploads, "{name}");
            assert_eq!(reported["jobs"], stage["jobs"], "{name}");
        }
    }
}

#[test]
fn every_fragment_is_chosen_by_some_stage_and_every_setting_is_known() {
    let used: BTreeSet<String> = stages()
        .iter()
        .flat_map(|(_, stage)| ["web", "worker"].map(|role| fragments(role, stage)))
        .flatten()
        .map(|name| format!("terraform/settings/{name}.env"))
        .collect();
    let there: BTreeSet<String> = files("terraform/settings", ".env").into_iter().collect();
    assert_eq!(used, there, "fragments and choices differ");
    for ending in [".tf", ".env", ".tfvars", ".tftpl", ".hcl", ".md"] {
        for path in files("terraform", ending) {
            let unknown = unknown_words(&read(&path));
            assert!(unknown.is_empty(), "{path} names what is no setting of the app: {unknown:?}");
        }
    }
}

#[test]
fn the_words_that_a_stage_may_choose_have_a_fragment_each() {
    let variables = read("terraform/variables.tf");
    for name in ["database", "assets", "cache", "jobs"] {
        let allowed = block(&variables, &format!("variable \"{name}\""));
        let list = allowed.split_once("contains([").and_then(|(_, rest)| rest.split_once(']'));
        let (list, _) = list.unwrap_or_else(|| panic!("{name} has no list of allowed words"));
        for word in list.split(',').map(|word| word.trim().trim_matches('"')) {
            read(&format!("terraform/settings/{name}-{word}.env"));
        }
    }
}

#[test]
fn defaults_are_the_apps_own() {
    let config = config_of("serve", &Settings::new()).expect("a developer's machine");
    let number = |variable: &str| -> u64 {
        default_of("terraform/variables.tf", variable).parse().expect("a number")
    };
    assert_eq!(Duration::from_secs(number("shutdown_grace_s")), config.shutdown_grace);
    assert_eq!(Duration::from_secs(number("job_visibility_s")), config.job_visibility);
    assert_eq!(number("job_concurrency"), u64::from(config.job_concurrency));
    assert_eq!(number("store_connections_max"), u64::from(config.store_connections_max));
    let port = default_of("terraform/modules/web/variables.tf", "port");
    for role in ["web", "worker"] {
        let listen =
            &env_lines(&read(&format!("terraform/settings/{role}.env")))["PHOTO_APP_LISTEN"];
        assert!(listen.ends_with(&format!(":{port}")), "{role} listens on {listen}, not on {port}");
    }
}

#[test]
fn what_a_run_expects_is_what_the_app_reports() {
    let reported = config_of("serve", &Settings::new()).expect("a developer's machine").settings();
    let expected = block(&read("terraform/outputs.tf"), "output \"expected_settings\"");
    let names = expected.lines().filter(|line| line.starts_with("    ") && line.contains('='));
    let names: Vec<&str> = names.filter_map(|line| line.split('=').next()).map(str::trim).collect();
    assert!(names.contains(&"store") && names.len() >= 7, "{names:?}");
    for name in names.into_iter().filter(|name| !name.starts_with('#')) {
        assert!(reported.contains_key(name), "/info.json reports no `{name}`");
    }
}

#[tokio::test]
async fn the_balancer_asks_for_a_path_that_the_app_answers() {
    let raw = RawSettings {
        store: Some("memory".to_owned()),
        assets_dir: Some(
            std::env::temp_dir().join("lightmeter-settings-test").display().to_string(),
        ),
        ..RawSettings::default()
    };
    let config = Config::check(&raw).expect("sound");
    let state = AppState::connect(config).await.expect("nothing to connect to");
    let listener = photo_app::server::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let router = photo_app::router::router(&state);
    let server =
        tokio::spawn(photo_app::server::serve(listener, router, stop.clone(), Duration::ZERO));
    let path = default_of("terraform/modules/web/variables.tf", "health_check_path");
    let answer = lightmeter::cluster::http::get(address, &path, Duration::from_secs(10)).await;
    let (status, body) = answer.expect("the app answers");
    stop.cancel();
    server.await.expect("the server ends");
    assert_eq!(status, 200, "the app does not answer {path} with 200");
    let parts: BTreeMap<String, String> = serde_json::from_slice(&body).expect("JSON");
    assert!(parts.contains_key("store"), "{path} does not ask the backends: {parts:?}");
}

#[test]
fn a_job_is_hidden_for_longer_than_a_heartbeat_and_a_server_is_drained_as_long_as_it_stops() {
    let main = read("terraform/main.tf");
    let queue = block(&main, "module \"queue\"");
    assert_eq!(attribute(&queue, "visibility_s"), "var.job_visibility_s");
    assert_eq!(attribute(&queue, "heartbeat_s"), format!("var.job_visibility_s / {BEATS}"));
    let jobs = env_lines(&read("terraform/settings/jobs-sqs.env"));
    assert_eq!(jobs["PHOTO_APP_JOB_VISIBILITY_S"], "${job_visibility_s}", "one number for both");
    let web = block(&main, "module \"web\"");
    assert_eq!(attribute(&web, "deregistration_delay_s"), "var.shutdown_grace_s");
    let made = block(&read("terraform/settings.tf"), "locals");
    assert_eq!(attribute(&made, "shutdown_grace_ms"), "tostring(var.shutdown_grace_s * 1000)");
    let stop = attribute(&main, "stop_timeout_s");
    assert_eq!(stop, "var.shutdown_grace_s + 5", "systemd must not end the app before its grace");
}

#[test]
fn the_cdn_keeps_what_asset_keys_say() {
    let (photo, version) = (PhotoId::new(1, 1), VersionId::new(1, 1));
    let rendition =
        AssetKey::Rendition { photo, version, width: 320, format: RenditionFormat::Jpeg };
    let original = AssetKey::Original { photo, format: PictureFormat::Jpeg };
    let assets = read("terraform/modules/assets/main.tf");
    let pattern = attribute(&assets, "path_pattern");
    let folder = pattern.strip_suffix('*').expect("a folder");
    assert!(rendition.path().starts_with(folder), "renditions are not below {folder}");
    assert!(!original.path().starts_with(folder), "originals would be public");
    let kept = block(&assets, "resource \"aws_cloudfront_cache_policy\" \"renditions\"");
    let lifetime = format!("public, max-age={}, immutable", attribute(&kept, "max_ttl"));
    assert_eq!(rendition.cache_control(), lifetime);
    let nothing = block(&assets, "resource \"aws_cloudfront_cache_policy\" \"nothing\"");
    assert_eq!(attribute(&nothing, "max_ttl"), "0");
    assert!(original.cache_control().contains("no-store"));
    for role in ["web", "worker"] {
        let text = read(&format!("terraform/modules/{role}/main.tf"));
        for key in [&rendition, &original] {
            let path = key.path();
            let folder = path.split('/').next().expect("a folder");
            assert!(text.contains(&format!("/{folder}/*")), "the {role} role may not use {folder}");
        }
    }
}

#[test]
fn uploads_are_the_web_servers_alone_and_go_by_themselves() {
    let upload = AssetKey::Upload { author: UserId(1), id: UploadId::default() };
    assert!(!upload.is_public() && upload.cache_control().contains("no-store"));
    let path = upload.path();
    let folder = path.split('/').next().expect("a folder");
    let assets = read("terraform/modules/assets/main.tf");
    let lifecycle = block(&assets, "resource \"aws_s3_bucket_lifecycle_configuration\" \"this\"");
    let (_, rule) = lifecycle.split_once("\"temporary-uploads\"").expect("uploads have a rule");
    assert!(rule.contains(&format!("prefix = \"{folder}/\"")), "the rule is for another folder");
    assert_eq!(attribute(rule, "days"), "1");
    let pattern = attribute(&assets, "path_pattern");
    assert!(!path.starts_with(pattern.trim_end_matches('*')), "uploads would be public");
    // A test of s3.rs holds that this is the one header which the signature asks a script for.
    let cors = block(&assets, "resource \"aws_s3_bucket_cors_configuration\" \"this\"");
    assert_eq!(attribute(&cors, "allowed_headers"), "[\"content-type\"]");
    let named = format!("/{folder}/*");
    assert!(read("terraform/modules/web/main.tf").contains(&named), "the web role needs {folder}");
    assert!(!read("terraform/modules/worker/main.tf").contains(&named), "a worker needs none");
}

#[test]
fn the_table_has_the_apps_keys_and_the_apps_word_for_what_expires() {
    let keys = read("app/src/store/dynamodb/keys.rs");
    let constant = |name: &str| {
        let line = keys.lines().find(|line| line.contains(&format!("const {name}: &str = ")));
        line.and_then(|line| line.split('"').nth(1)).expect("the app's constant").to_owned()
    };
    let table = read("terraform/modules/dynamodb/main.tf");
    assert_eq!(attribute(&table, "hash_key"), constant("PK"));
    assert_eq!(attribute(&table, "range_key"), constant("SK"));
    assert_eq!(attribute(&table, "attribute_name"), constant("EXPIRES_AT"));
}

#[test]
fn the_workers_follow_the_backlog_that_the_app_counts() {
    // The attributes of the queue that `depth` asks for, and the metrics of the same name.
    let sqs = read("app/src/jobs/sqs.rs");
    let worker = read("terraform/modules/worker/main.tf");
    for (attribute, metric) in [
        ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesVisible"),
        ("ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesNotVisible"),
    ] {
        assert!(sqs.contains(&format!("QueueAttributeName::{attribute},")), "{attribute}");
        assert!(worker.contains(&format!("metric_name = \"{metric}\"")), "{metric}");
    }
}
