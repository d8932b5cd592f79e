//! compose.yaml and the Dockerfile: their settings through the app's own checks, and the few rules that a linter would know.
//!
//! Where Docker has its compose plugin, `docker compose config` reads the file as well; without it that test says so and the plain
//! rules stand alone.

use std::collections::BTreeMap;
use std::process::Command;

use crate::app::{Settings, config_of, unknown_words};
use crate::text::{files, read, root};

/// The settings at `indent` of a section that starts with `header`.
fn settings(text: &str, header: &str, indent: usize) -> Settings {
    let (_, rest) =
        text.split_once(&format!("\n{header}")).unwrap_or_else(|| panic!("no section `{header}`"));
    let mine = |line: &&str| line.len() - line.trim_start().len() >= indent;
    let lines = rest.lines().skip(1).take_while(mine).map(str::trim);
    let pairs = lines.filter(|line| line.starts_with("PHOTO_APP_"));
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ").expect("NAME: value");
        (name.to_owned(), value.trim_matches('"').to_owned())
    };
    pairs.map(pair).collect()
}

/// The services and their lines.
fn services(text: &str) -> BTreeMap<String, Vec<String>> {
    let (_, rest) = text.split_once("\nservices:\n").expect("compose.yaml has services");
    let (mut found, mut name) = (BTreeMap::<String, Vec<String>>::new(), String::new());
    for line in rest.lines().take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let indent = line.len() - line.trim_start().len();
        if indent == 2 && !line.trim().starts_with('#') {
            name = line.trim().trim_end_matches(':').to_owned();
            found.entry(name.clone()).or_default();
        } else if !line.trim().is_empty() && !line.trim().starts_with('#') {
            found.entry(name.clone()).or_default().push(line.trim().to_owned());
        }
    }
    found
}

#[test]
fn the_app_would_start_with_the_settings_of_compose() {
    let text = read("compose.yaml");
    let shared = settings(&text, "x-settings: &settings", 2);
    assert!(shared.len() > 10, "{shared:?}");
    for (service, role) in
        [("web", "serve"), ("worker", "work"), ("seed", "seed"), ("migrate", "migrate")]
    {
        let lines = services(&text).remove(service).expect("the service is there");
        assert!(lines.contains(&"<<: *settings".to_owned()), "{service} has other settings");
        let mut own = shared.clone();
        own.extend(settings(&text, &format!("  {service}:"), 4));
        config_of(role, &own).unwrap_or_else(|error| panic!("compose.yaml, {service}: {error}"));
    }
    for path in ["compose.yaml", "Dockerfile"] {
        assert!(unknown_words(&read(path)).is_empty(), "{path}: {:?}", unknown_words(&read(path)));
    }
}

#[test]
fn compose_is_well_formed_and_stays_at_home() {
    let text = read("compose.yaml");
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let sound = !line.contains('\t') && indent % 2 == 0 && line.trim_end() == line;
        assert!(sound, "compose.yaml:{}: tab, odd indent or space at the end", number + 1);
    }
    let services = services(&text);
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["cache", "database", "migrate", "pictures", "queue", "seed", "web", "worker"]
    );
    for (name, lines) in &services {
        let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
        assert!(has("image:") || has("<<: *app"), "{name} has no image");
        for line in lines.iter().filter(|line| line.starts_with("ports:")) {
            assert!(line.contains("\"127.0.0.1:"), "{name} is open to the network: {line}");
        }
    }
    // What anchors are used is defined.
    for alias in text.split('*').skip(1).filter_map(|rest| rest.split_whitespace().next()) {
        let alias = alias.trim_end_matches(['}', ',']);
        assert!(text.contains(&format!("&{alias}")), "compose.yaml uses *{alias}, undefined");
    }
}

#[test]
fn docker_reads_compose() {
    let docker = |words: &[&str]| Command::new("docker").args(words).current_dir(root()).output();
    match docker(&["compose", "version"]) {
        Ok(output) if output.status.success() => {}
        _ => {
            eprintln!("skipped `docker compose config`: Docker's compose plugin is not installed");
            return;
        }
    }
    let output = docker(&["compose", "config", "--quiet"]).expect("docker can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_image_is_small_unprivileged_and_watched() {
    let text = read("Dockerfile");
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let of = |word: &str| -> Vec<&str> {
        let start = format!("{word} ");
        lines.iter().filter_map(|line| line.strip_prefix(start.as_str())).collect()
    };
    let stages: Vec<&str> = of("FROM")
        .iter()
        .filter_map(|from| from.split_once(" AS ").map(|(_, name)| name))
        .collect();
    assert_eq!(stages, ["build", "base", "lab", "app"], "every stage has its name");
    let pinned = |from: &&&str| from.starts_with("base") || from.contains(':');
    assert!(of("FROM").iter().all(|from| pinned(&from)), "an image without a version");
    assert_eq!(of("USER"), ["10001:10001"], "it must not run as root");
    assert_eq!(of("HEALTHCHECK").len(), 1);
    assert!(text.contains("GET /readyz HTTP"), "the health check asks for /readyz");
    for copied in of("COPY").iter().filter(|copy| copy.contains("/usr/local/bin")) {
        assert!(copied.starts_with("--from=build "), "only binaries reach the image: {copied}");
    }
    let certificates = "/etc/ssl/certs/ca-certificates.crt";
    let copied = format!("--from=build {certificates} {certificates}");
    assert!(of("COPY").contains(&copied.as_str()), "TLS to AWS needs certificates to believe");
    // What is compiled in must reach the build.
    let left_out = read(".dockerignore");
    for path in files("scenarios/src", ".rs") {
        for embedded in read(&path).split("include_str!(\"").skip(1) {
            let embedded = embedded.split('"').next().unwrap_or_default();
            let folder = embedded.trim_start_matches("../").split('/').next().unwrap_or_default();
            let there = !left_out.lines().any(|line| line == folder);
            assert!(there, "{path} compiles {embedded} in, and .dockerignore leaves it out");
        }
    }
    // The compiler of the workspace.
    let rust = read("Cargo.toml");
    let version = rust.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let version = version.expect("the workspace has a rust-version").trim_matches('"');
    assert!(of("FROM")[0].starts_with(&format!("rust:{version}-")), "the build uses another Rust");
}
