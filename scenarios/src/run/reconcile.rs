//! Do the servers' own counters agree with what the clients saw (MEASURING.md, rule 6)? Pure: counters before, counters
//! after, and the driver's measurement go in; comparisons and notes come out.
//!
//! A client that gives up while its request is being worked on leaves a count on one side only, so a trial with such
//! requests is not compared, and says so: in an overloaded trial that is the rule, and no sign of lost work.

use std::collections::BTreeMap;

use loadgen::record::{Clock, OperationRecord, Reconciliation};
use loadgen::record_io::{HistogramSet, merge_operations};

/// Counters of all servers together: `requests.home` -> 812.
pub type Counters = BTreeMap<String, f64>;

/// The prefix of counters of answered requests by route.
const REQUESTS: &str = "requests.";
/// Error kinds after which the server may have gone on without the client.
const GIVEN_UP: &[&str] = &["timeout", "connect", "reset", "unfinished"];

/// Adds up the counters of several servers, each as its `/info.json` has them.
pub fn counters_of<'a>(infos: impl IntoIterator<Item = &'a serde_json::Value>) -> Counters {
    let mut sums = Counters::new();
    for info in infos {
        let Some(counters) = info.get("counters").and_then(|counters| counters.as_object()) else {
            continue;
        };
        for (name, value) in counters {
            if let Some(value) = value.as_f64() {
                *sums.entry(name.clone()).or_default() += value;
            }
        }
    }
    sums
}

/// What was counted between two moments.
pub fn grown(before: &Counters, after: &Counters) -> Counters {
    let growth = |(name, end): (&String, &f64)| {
        let start = before.get(name).copied().unwrap_or_default();
        (name.clone(), end - start)
    };
    after.iter().map(growth).collect()
}

/// What the clients saw.
#[derive(Debug)]
pub struct Clients<'a> {
    /// Answers by the server's own name of the route.
    pub answers_by_route: &'a BTreeMap<String, u64>,
    /// Counts by operation.
    pub operations: &'a BTreeMap<String, OperationRecord>,
    /// Latencies.
    pub histograms: &'a HistogramSet,
}

/// The comparisons, and a note where none was possible.
pub fn reconcile(grown: &Counters, clients: &Clients<'_>) -> (Vec<Reconciliation>, Option<String>) {
    let given_up: u64 = clients
        .operations
        .values()
        .flat_map(|operation| &operation.errors)
        .filter(|(kind, _)| GIVEN_UP.iter().any(|word| kind.starts_with(word)))
        .map(|(_, count)| count)
        .sum();
    if given_up > 0 {
        let note = format!("Counters were not compared: the clients gave up {given_up} requests.");
        return (Vec::new(), Some(note));
    }
    let mut comparisons = Vec::new();
    for (route, seen) in clients.answers_by_route {
        let counter = format!("{REQUESTS}{route}");
        // A route that these servers never answered belongs to the object store or the CDN.
        if let Some(counted) = grown.get(&counter) {
            comparisons.push(Reconciliation { counter, servers: *counted, clients: *seen as f64 });
        }
    }
    let uploads = ["upload".to_owned()];
    let finished = merge_operations(clients.histograms, &uploads, Clock::PlannedFinished).len();
    if finished > 0
        && let Some(done) = grown.get("jobs.done").filter(|done| **done > 0.0)
    {
        let counter = "jobs.done".to_owned();
        comparisons.push(Reconciliation { counter, servers: *done, clients: finished as f64 });
    }
    (comparisons, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(values: &[(&str, f64)]) -> Counters {
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn counters_of_several_servers_are_added_up_and_their_growth_is_taken() {
        let info = |home: u64| serde_json::json!({ "counters": { "requests.home": home } });
        let before = counters_of([&info(10), &info(20)]);
        let after = counters_of([&info(15), &info(28), &serde_json::json!({ "no": "counters" })]);
        assert_eq!(grown(&before, &after), counters(&[("requests.home", 13.0)]));
    }

    #[test]
    fn routes_are_compared_by_name_and_foreign_routes_are_left_out() {
        let answers = BTreeMap::from([("home".to_owned(), 13), ("asset".to_owned(), 80)]);
        let clients = Clients {
            answers_by_route: &answers,
            operations: &BTreeMap::new(),
            histograms: &HistogramSet::new(),
        };
        let grown = counters(&[("requests.home", 12.0), ("requests.metrics", 3.0)]);
        let (comparisons, note) = reconcile(&grown, &clients);
        assert_eq!(note, None);
        let [home] = &comparisons[..] else { panic!("{comparisons:?}") };
        assert_eq!(
            (home.counter.as_str(), home.servers, home.clients),
            ("requests.home", 12.0, 13.0)
        );
    }

    #[test]
    fn a_trial_whose_clients_gave_up_is_not_compared_and_says_so() {
        let errors = BTreeMap::from([("timeout".to_owned(), 3)]);
        let operation = OperationRecord { errors, ..OperationRecord::default() };
        let clients = Clients {
            answers_by_route: &BTreeMap::from([("home".to_owned(), 13)]),
            operations: &BTreeMap::from([("home".to_owned(), operation)]),
            histograms: &HistogramSet::new(),
        };
        let (comparisons, note) = reconcile(&counters(&[("requests.home", 16.0)]), &clients);
        assert!(comparisons.is_empty());
        assert!(note.is_some_and(|note| note.contains("3 requests")));
    }
}
