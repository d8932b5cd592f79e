//! The house rules that matter, as tests: file sizes, headers, the arrows between packages, who may name a backend, licences.
//!
//! They read the sources of the clone they were built from, so that a rule broken anywhere fails here with the file's name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 5] = ["app", "loadgen", "scenarios", "reports", "benches"];
/// Longest file that a reader takes in at one sitting.
const FILE_LINES_MAX: usize = 500;
/// Licences that allow linking into a product without conditions beyond attribution.
const LICENCES: [&str; 15] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "BSL-1.0",
    "CC0-1.0",
    // The Independent JPEG Group's: attribution only.
    "IJG",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("scenarios lies in the root").to_owned()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder can be read") {
        let path = entry.expect("a folder entry can be read").path();
        if path.is_dir() {
            // `cargo fuzz` without `make` builds beside its crate.
            if !path.ends_with("fuzz/target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for package in PACKAGES {
        sources(&root().join(package), &mut paths);
    }
    let text = |path: &PathBuf| fs::read_to_string(path).expect("a source file is UTF-8");
    let name = |path: &PathBuf| {
        path.strip_prefix(root()).expect("sources lie in the root").display().to_string()
    };
    paths.iter().map(|path| (name(path), text(path))).collect()
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut broken = Vec::new();
    for (name, text) in all_sources() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{name}: {lines} lines, at most {FILE_LINES_MAX}: split it"));
        }
        if !text.starts_with("//!") {
            broken.push(format!("{name}: no header comment: open with `//!` and what it is"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn packages_depend_only_along_the_arrows() {
    let ours = ["photo-app", "loadgen", "reports", "lightmeter"];
    let arrows: [(&str, &[&str]); 5] = [
        ("app", &[]),
        ("loadgen", &[]),
        ("reports", &["loadgen"]),
        ("scenarios", &["photo-app", "loadgen", "reports"]),
        ("benches", &["photo-app", "loadgen"]),
    ];
    for (package, allowed) in arrows {
        let path = root().join(package).join("Cargo.toml");
        let manifest = fs::read_to_string(&path).expect("each package has a manifest");
        let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(|table| table.as_table()) else {
                continue;
            };
            for name in table.keys().filter(|name| ours.contains(&name.as_str())) {
                let fits = allowed.contains(&name.as_str());
                assert!(fits, "{package} must not depend on {name} (ARCHITECTURE.md, the arrows)");
            }
        }
    }
}

#[test]
fn backends_stay_behind_their_traits() {
    for (name, text) in all_sources() {
        let forbidden: &[&str] = if name.starts_with("app/src/routes/") {
            &["sqlx::", "aws_sdk", "redis::"]
        } else if name.starts_with("app/src/store/") {
            &["axum::", "http::StatusCode"]
        } else if name.starts_with("app/src/imaging/") {
            &["tokio::", "std::fs", "std::net", "SystemTime", "Instant::now"]
        } else if name.starts_with("reports/src/stats/") || name == "loadgen/src/schedule.rs" {
            &["std::fs", "SystemTime", "Instant::now", "std::net"]
        } else {
            &[]
        };
        // A file's own tests may use what the file itself may not.
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in forbidden {
            assert!(!product.contains(word), "{name} names `{word}`, which its room must not know");
        }
    }
}

/// Whether an SPDX expression can be satisfied with the allowed licences alone (`AND` binds closer than `OR`).
fn permitted(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    let permitted = alternatives(&tokens, &mut position);
    permitted && position == tokens.len()
}

fn alternatives(tokens: &[&str], position: &mut usize) -> bool {
    let mut any = conjunction(tokens, position);
    while tokens.get(*position) == Some(&"OR") {
        *position += 1;
        any |= conjunction(tokens, position);
    }
    any
}

fn conjunction(tokens: &[&str], position: &mut usize) -> bool {
    let mut all = licence(tokens, position);
    while tokens.get(*position) == Some(&"AND") {
        *position += 1;
        all &= licence(tokens, position);
    }
    all
}

fn licence(tokens: &[&str], position: &mut usize) -> bool {
    let Some(first) = tokens.get(*position) else { return false };
    *position += 1;
    if *first == "(" {
        let inner = alternatives(tokens, position);
        *position += 1;
        return inner;
    }
    let mut name = (*first).to_owned();
    if tokens.get(*position) == Some(&"WITH") {
        name = format!("{name} WITH {}", tokens.get(*position + 1).unwrap_or(&""));
        *position += 2;
    }
    LICENCES.contains(&name.as_str())
}

#[test]
fn spdx_expressions_are_understood() {
    assert!(permitted("MIT OR Apache-2.0"));
    assert!(permitted("(MIT OR GPL-3.0) AND Unicode-3.0"));
    assert!(permitted("MIT/Apache-2.0"));
    assert!(permitted("Apache-2.0 WITH LLVM-exception"));
    assert!(!permitted("GPL-3.0"));
    assert!(!permitted("MIT AND AGPL-3.0"));
}

/// The target triple of the compiler in use, as `rustc -vV` prints it.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc can be run");
    let text = String::from_utf8(output.stdout).expect("rustc prints UTF-8");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc -vV names its host").to_owned()
}

#[test]
fn every_dependency_has_a_permissive_licence() {
    // Only what this platform links: other platforms' packages need not be on this machine.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", &host()])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    assert!(packages.len() > 100, "only {} packages: is this the workspace?", packages.len());
    let refused: BTreeSet<String> = packages
        .iter()
        .filter(|package| !permitted(package["license"].as_str().unwrap_or("none stated")))
        .map(|package| format!("{} ({})", package["name"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "licences not allowed here: {refused:?}");
}

#[test]
fn local_links_in_the_documentation_lead_somewhere() {
    let mut pages = vec![root().join("README.md"), root().join("ARCHITECTURE.md")];
    let mut folders = vec![root().join("docs"), root().join("terraform")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("docs can be read") {
            let path = entry.expect("a folder entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page is UTF-8");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.contains(char::is_whitespace) {
                continue;
            }
            let lies_at = page.parent().expect("a page lies in a folder").join(file);
            assert!(lies_at.exists(), "{}: the link to {file} leads nowhere", page.display());
        }
    }
}
