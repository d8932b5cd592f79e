//! What all clusters of a run share: the binary, the temporary folder, the services, budgets, cores, templates.
//!
//! Dropping the context removes the temporary folder and the cgroups; by then its clusters must be stopped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tokio::sync::OnceCell;

use super::budget::{BudgetHost, CpuGroup};
use super::process::Launcher;
use super::services::{Services, random_word};
use super::template::{Template, TemplateKey};

/// What our temporary folders are called, before the pid.
const PREFIX: &str = "lightmeter-";

/// Which cores do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// Where the stacks' processes run; empty: anywhere.
    pub stacks: Vec<usize>,
    /// Where the load generator runs; none: anywhere.
    pub generator: Option<usize>,
}

impl Placement {
    /// With at least two cores the last one belongs to the generator and the others to the stacks.
    pub fn of_this_machine() -> Placement {
        Placement::over(&available_cores())
    }

    /// The same for given cores.
    pub fn over(cores: &[usize]) -> Placement {
        match cores.split_last() {
            Some((&last, others)) if !others.is_empty() => {
                Placement { stacks: others.to_vec(), generator: Some(last) }
            }
            _ => Placement::default(),
        }
    }

    /// In words, for the run record.
    pub fn in_words(&self) -> String {
        match self.generator {
            Some(core) if self.stacks.len() == 1 => {
                format!("stacks on core {}, generator on core {core}", self.stacks[0])
            }
            Some(core) => format!(
                "stacks on cores {}-{}, generator on core {core}",
                self.stacks.first().copied().unwrap_or_default(),
                self.stacks.last().copied().unwrap_or_default()
            ),
            None => "stacks and generator share all cores".into(),
        }
    }
}

/// The cores that this process may use.
#[cfg(target_os = "linux")]
pub fn available_cores() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect(),
        Err(error) => {
            tracing::warn!(%error, "the available cores cannot be read: nothing is bound to a core");
            Vec::new()
        }
    }
}

/// The cores cannot be chosen here.
#[cfg(not(target_os = "linux"))]
pub fn available_cores() -> Vec<usize> {
    Vec::new()
}

/// Shared by all clusters of a run.
#[derive(Debug)]
pub struct ClusterContext {
    pub(super) launcher: Launcher,
    pub(super) binary: PathBuf,
    pub(super) services: Services,
    pub(super) secret: String,
    pub(super) templates: Mutex<HashMap<TemplateKey, Arc<OnceCell<Template>>>>,
    budgets: Result<Arc<BudgetHost>, String>,
    placement: Placement,
    template_count: std::sync::atomic::AtomicUsize,
    temp: tempfile::TempDir,
}

impl ClusterContext {
    /// For a run whose logs go to `RUN_DIR/logs`, playing roles with this binary.
    ///
    /// # Errors
    /// No temporary folder can be made.
    pub fn new(binary: impl Into<PathBuf>, run_dir: &Path) -> anyhow::Result<ClusterContext> {
        ClusterContext::with(binary, run_dir, Services::discover(), Placement::of_this_machine())
    }

    /// The same with services and cores chosen by the caller.
    ///
    /// # Errors
    /// No temporary folder can be made.
    pub fn with(
        binary: impl Into<PathBuf>,
        run_dir: &Path,
        services: Services,
        placement: Placement,
    ) -> anyhow::Result<ClusterContext> {
        let base = std::env::temp_dir();
        sweep_temp(&base);
        let temp = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempdir_in(&base)
            .with_context(|| format!("could not make a temporary folder in {}", base.display()))?;
        let binary = binary.into();
        let launcher = Launcher::new(&binary, run_dir.join("logs")).on_cores(&placement.stacks);
        let budgets = BudgetHost::probe();
        if let Err(why) = &budgets {
            tracing::warn!("CPU budgets are off: {why}");
        }
        Ok(ClusterContext {
            launcher,
            binary,
            services,
            secret: random_word(),
            templates: Mutex::default(),
            budgets,
            placement,
            template_count: std::sync::atomic::AtomicUsize::new(1),
            temp,
        })
    }

    /// What is installed.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Which cores do what.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// `cgroup v1`, `cgroup v2` or `none: <why>`, for the run record.
    pub fn budgets_in_words(&self) -> String {
        match &self.budgets {
            Ok(host) => host.describe().to_string(),
            Err(why) => format!("none: {why}"),
        }
    }

    /// Whether CPU budgets can be enforced.
    pub fn has_budgets(&self) -> bool {
        self.budgets.is_ok()
    }

    /// The folder for temporary files, removed with the context.
    pub fn temp(&self) -> &Path {
        self.temp.path()
    }

    /// A group for an instance: with its budget, or only to keep its account. None without the rights.
    pub(super) fn group(
        &self,
        name: &str,
        share: Option<f64>,
    ) -> Result<Option<Arc<CpuGroup>>, super::budget::BudgetError> {
        match &self.budgets {
            Ok(host) => Ok(Some(Arc::new(host.group(name, share)?))),
            Err(_why) => Ok(None),
        }
    }

    /// A number for the next template's folder.
    pub(super) fn template_number(&self) -> usize {
        self.template_count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    pub(super) fn template_cell(&self, key: &TemplateKey) -> Arc<OnceCell<Template>> {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        templates.entry(key.clone()).or_default().clone()
    }
}

/// Removes the folders of runs that were killed.
fn sweep_temp(base: &Path) {
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        let alive = cfg!(not(target_os = "linux")) || Path::new(&format!("/proc/{pid}")).exists();
        if !alive && let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::debug!(folder = name, %error, "a stale temporary folder stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_core_belongs_to_the_generator() {
        assert_eq!(Placement::over(&[0]), Placement::default());
        let two = Placement::over(&[0, 1]);
        assert_eq!(two, Placement { stacks: vec![0], generator: Some(1) });
        assert_eq!(two.in_words(), "stacks on core 0, generator on core 1");
        assert_eq!(
            Placement::over(&[2, 3, 7]).in_words(),
            "stacks on cores 2-3, generator on core 7"
        );
    }
}
