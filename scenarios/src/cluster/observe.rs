//! What a running cluster says about itself: CPU, memory, disk and network of every instance, settings, counters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use loadgen::record::InstanceRecord;
use serde_json::Value;

use super::budget::proc_usage;
use super::http::{INFO_PATH, get_json};
use super::process::Process;
use super::{Cluster, Instance, Role};

/// How long an instance may take to tell its counters: longer than the pauses of a throttled one.
const INFO_LIMIT: Duration = Duration::from_secs(10);

impl Cluster {
    /// What every instance has used since it started. Differences of two calls belong to a trial.
    /// Accounts come from the cgroup where there is one, else from `/proc` in steps of 10 ms.
    pub async fn usage(&self) -> Vec<InstanceRecord> {
        let backends = self.backends.iter().flat_map(|backends| backends.processes());
        let others = self.instances.iter().map(|one| (one.role, &one.process));
        let mut records: Vec<InstanceRecord> =
            backends.chain(others).map(|(role, process)| usage_of(role, process)).collect();
        let links = self.instances.iter().filter(|one| one.role == Role::Link);
        let carried = join_all(links.map(|link| async move {
            let bytes = link_bytes(link).await;
            (link.carries.as_deref().unwrap_or(link.process.name()), bytes)
        }))
        .await;
        for (name, bytes) in carried {
            for record in records.iter_mut().filter(|record| record.name == name) {
                record.link_bytes = bytes;
            }
        }
        records
    }

    /// `/info.json` of every web server and worker, and the counters of every role of ours. An instance
    /// that does not answer is left out, and said so in the log.
    pub async fn infos(&self) -> BTreeMap<String, Value> {
        let stand_ins = self.backends.iter().flat_map(|backends| &backends.stand_ins);
        // The nodes behind the DynamoDB router speak DynamoDB only; the router counts for them.
        let instances = stand_ins.filter(|one| one.role != Role::Database).chain(&self.instances);
        let infos = join_all(instances.map(|instance| async move {
            match info_of(instance).await {
                Ok(info) => Some((instance.process.name().to_string(), info)),
                Err(error) => {
                    let name = instance.process.name();
                    tracing::warn!(instance = name, "no counters: {error:#}");
                    None
                }
            }
        }))
        .await;
        infos.into_iter().flatten().collect()
    }

    /// The settings that the servers themselves report, joined per role: `web.store` -> `mysql`. Where
    /// instances of a role differ, all values stand there: `mysql | sqlite`.
    pub fn settings(infos: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
        let mut joined: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, info) in infos {
            let role = match info["role"].as_str() {
                Some("serve") => "web",
                Some("work") => "worker",
                Some(role) => role,
                None => name,
            };
            for (setting, value) in info["settings"].as_object().into_iter().flatten() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                joined.entry(format!("{role}.{setting}")).or_default().insert(value);
            }
        }
        let in_words =
            |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(" | ");
        joined.into_iter().map(|(setting, values)| (setting, in_words(values))).collect()
    }

    /// Instances that have ended although nobody told them to, with their exit status in words.
    pub fn dead(&self) -> Vec<String> {
        let backends = self.backends.iter().flat_map(|backends| backends.processes());
        let others = self.instances.iter().map(|one| (one.role, &one.process));
        backends
            .chain(others)
            .filter(|(_, process)| !process.is_running())
            .map(|(_, process)| format!("{} (log {})", process.name(), process.log().display()))
            .collect()
    }
}

fn usage_of(role: Role, process: &Process) -> InstanceRecord {
    let proc = proc_usage(process.pid());
    let mut record = InstanceRecord {
        name: process.name().to_string(),
        role: role.as_str().to_string(),
        cpu_us: proc.cpu_us,
        memory_bytes: proc.memory_bytes,
        disk_bytes: proc.disk_bytes,
        ..InstanceRecord::default()
    };
    let Some(group) = process.group() else { return record };
    record.budget = group.share();
    match group.usage() {
        Ok(usage) => {
            record.cpu_us = usage.cpu_us;
            record.throttled_us = group.share().map(|_| usage.throttled_us);
        }
        Err(error) => tracing::warn!(instance = process.name(), %error, "no account of its CPU"),
    }
    record
}

async fn info_of(instance: &Instance) -> anyhow::Result<Value> {
    match instance.role {
        Role::Web | Role::Worker => get_json(instance.listening, "/info.json", INFO_LIMIT).await,
        _ => get_json(instance.control, INFO_PATH, INFO_LIMIT).await,
    }
}

/// Both directions together; none when the link does not answer.
async fn link_bytes(link: &Instance) -> Option<u64> {
    let info = info_of(link).await;
    let info = info.inspect_err(|error| tracing::warn!("no account of a link: {error:#}")).ok()?;
    let counter = |name: &str| info["counters"][name].as_u64();
    Some(counter("link.up_bytes")? + counter("link.down_bytes")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_joined_per_role_and_differences_show() {
        let info = |role: &str, store: &str| serde_json::json!({ "role": role, "settings": { "store": store, "count": 2 } });
        let infos = BTreeMap::from([
            ("web-1".to_string(), info("serve", "mysql")),
            ("web-2".to_string(), info("serve", "sqlite")),
            ("worker-1".to_string(), info("work", "mysql")),
        ]);
        let settings = Cluster::settings(&infos);
        assert_eq!(settings["web.store"], "mysql | sqlite");
        assert_eq!(settings["web.count"], "2");
        assert_eq!(settings["worker.store"], "mysql");
    }
}
