//! What takes the place of what is not installed, so that a run works on a machine with nothing but Rust: SQLite for MySQL,
//! the in-process cache for Redis. What has no equal (replicas, shards) is left out. Every such step is recorded with
//! its reason and printed; the report repeats it.

use loadgen::record::Substitution;

use crate::experiment::{Experiment, Stack};

/// What this machine lacks: for each program none when it is there, else why not and how to get it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// MariaDB.
    pub mariadb: Option<String>,
    /// Redis.
    pub redis: Option<String>,
}

/// What a setting wants, what is used instead (none: the variant is left out), and why.
struct Swap<'m> {
    wanted: &'static str,
    used: Option<&'static str>,
    because: &'m str,
}

/// The experiments as this machine can run them, and what was changed.
pub fn substitute(
    experiments: Vec<Experiment>,
    missing: &Missing,
) -> (Vec<Experiment>, Vec<Substitution>) {
    let mut substitutions = Vec::new();
    let experiments = experiments
        .into_iter()
        .map(|experiment| one(experiment, missing, &mut substitutions))
        .collect();
    (experiments, substitutions)
}

fn one(
    mut experiment: Experiment,
    missing: &Missing,
    substitutions: &mut Vec<Substitution>,
) -> Experiment {
    let id = experiment.id.clone();
    experiment.variants.retain_mut(|variant| {
        let mut keep = true;
        for swap in swaps(&mut variant.stack, missing) {
            keep &= swap.used.is_some();
            let used = swap.used.unwrap_or("nothing: this variant is left out");
            substitutions.push(Substitution {
                wanted: format!("{} ({id}: {})", swap.wanted, variant.label),
                used: used.to_owned(),
                because: swap.because.to_owned(),
            });
        }
        keep
    });
    let there = |name: &String| experiment.variants.iter().any(|variant| variant.id == *name);
    experiment.arrows.retain(|arrow| there(&arrow.before) && there(&arrow.after));
    experiment
}

/// What stands in for MariaDB. It has no process of its own that a budget could be put on: its capacity is that of the web
/// server's core, and whoever reads the report must know.
const SQLITE: &str = "SQLite inside the web server (without the CPU budget of a database)";

fn swaps<'m>(stack: &mut Stack, missing: &'m Missing) -> Vec<Swap<'m>> {
    let mut swaps = Vec::new();
    if let Some(because) = &missing.mariadb {
        match stack.store {
            "mysql" => {
                stack.store = "sqlite";
                swaps.push(Swap { wanted: "MySQL", used: Some(SQLITE), because });
            }
            "replicated" => swaps.push(Swap { wanted: "read replicas", used: None, because }),
            "sharded" => swaps.push(Swap { wanted: "shards", used: None, because }),
            _ => {}
        }
    }
    if let Some(because) = &missing.redis {
        if stack.cache == "redis" {
            stack.cache = "moka";
            let used = Some("the in-process cache");
            swaps.push(Swap { wanted: "the shared cache in Redis", used, because });
        }
        if stack.sessions == "redis" {
            stack.sessions = "cookie";
            let used = Some("sessions in signed cookies");
            swaps.push(Swap { wanted: "sessions in Redis", used, because });
        }
    }
    swaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, experiment};

    fn experiments() -> Vec<Experiment> {
        check::read_all(&experiment::embedded()).expect("sound")
    }

    #[test]
    fn with_everything_installed_nothing_changes() {
        let (same, substitutions) = substitute(experiments(), &Missing::default());
        assert_eq!((same, substitutions), (experiments(), vec![]));
    }

    #[test]
    fn without_mariadb_sqlite_takes_its_place_and_replicas_are_left_out() {
        let missing = Missing { mariadb: Some("install it".to_owned()), redis: None };
        let (experiments, substitutions) = substitute(experiments(), &missing);
        let stacks = || experiments.iter().flat_map(|experiment| &experiment.variants);
        assert!(stacks().all(|variant| matches!(variant.stack.store, "sqlite" | "dynamodb")));
        assert!(substitutions.iter().any(|one| one.used == SQLITE));
        assert!(substitutions.iter().any(|one| one.wanted.starts_with("read replicas")));
        assert!(substitutions.iter().all(|one| one.because == "install it"));
        let database = &experiments[0];
        assert!(database.arrows.iter().all(|arrow| database.variant(&arrow.after).is_some()));
    }

    #[test]
    fn without_redis_the_in_process_cache_takes_its_place() {
        let missing = Missing { mariadb: None, redis: Some("install it".to_owned()) };
        let (experiments, substitutions) = substitute(experiments(), &missing);
        let stacks = || experiments.iter().flat_map(|experiment| &experiment.variants);
        assert!(stacks().all(|variant| variant.stack.cache != "redis"));
        assert_eq!(substitutions.len(), 1);
    }
}
