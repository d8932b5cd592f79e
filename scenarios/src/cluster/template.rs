//! Templates: a population seeded once per run, then copied into every cluster that wants the same one.
//!
//! Seeding a MariaDB takes seconds, copying its folder a fraction of one. A template is made with an empty
//! set of backends and the app's own `migrate` and `seed`, then everything is stopped in order. SQLite
//! files and MariaDB folders are copied, pictures are hard-linked, Redis hands over a dump. DynamoDB's stand-in
//! lives in memory: its clusters are seeded each time, after the pictures.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ClusterError;
use super::backends::{Backends, Plan};
use super::context::ClusterContext;
use super::spec::{
    AssetsKind, BudgetSpec, CacheKind, JobsKind, LinkSpec, PopulationSpec, RenditionsKind,
    SessionsKind, StackSpec, StoreKind, StoreSpec,
};

/// How long seeding may take. A thousand people take seconds on a quiet machine.
const SEED_LIMIT: Duration = Duration::from_secs(600);
/// The manifest inside a folder.
pub(super) const MANIFEST_FILE: &str = "population.json";

/// What two clusters must have in common to begin with the same data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TemplateKey {
    store: StoreKind,
    shards: u32,
    assets: AssetsKind,
    sessions: SessionsKind,
    renditions: RenditionsKind,
    population: PopulationSpec,
}

impl TemplateKey {
    /// None when the store cannot be copied.
    fn of(stack: &StackSpec) -> Option<TemplateKey> {
        let (store, shards) = match stack.store.kind {
            StoreKind::Sqlite => (StoreKind::Sqlite, 1),
            // A primary's data do not depend on its replicas.
            StoreKind::Mysql | StoreKind::Replicated => (StoreKind::Mysql, 1),
            StoreKind::Sharded => (StoreKind::Sharded, stack.store.nodes),
            StoreKind::Dynamodb => return None,
        };
        Some(TemplateKey {
            store,
            shards,
            assets: stack.assets,
            sessions: stack.sessions,
            renditions: stack.renditions,
            population: stack.population,
        })
    }

    /// The smallest stack that holds these data.
    fn stack(&self) -> StackSpec {
        StackSpec {
            store: StoreSpec { kind: self.store, nodes: self.shards },
            assets: self.assets,
            sessions: self.sessions,
            renditions: self.renditions,
            population: self.population,
            cache: CacheKind::None,
            jobs: JobsKind::Inline,
            budgets: BudgetSpec::default(),
            links: LinkSpec::default(),
            ..StackSpec::default()
        }
    }

    /// For folders and logs.
    fn name(&self, number: usize) -> String {
        format!("template-{number}-{}-{}", self.store.as_str(), self.assets.as_str())
    }
}

/// A folder to begin with. It lies in the context's temporary folder and goes with it.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) folder: PathBuf,
}

/// The template for this stack, made at the first call; none when its store cannot be copied.
pub(super) async fn template_for(
    context: &ClusterContext,
    stack: &StackSpec,
) -> Result<Option<PathBuf>, ClusterError> {
    let Some(key) = TemplateKey::of(stack) else { return Ok(None) };
    let cell = context.template_cell(&key);
    let number = context.template_number();
    let template = cell.get_or_try_init(|| make(context, &key, number)).await?;
    Ok(Some(template.folder.clone()))
}

async fn make(
    context: &ClusterContext,
    key: &TemplateKey,
    number: usize,
) -> Result<Template, ClusterError> {
    let (stack, name) = (key.stack(), key.name(number));
    let folder = context.temp().join(&name);
    let launcher = context.launcher.clone().logging_to(context.launcher.logs().join(&name));
    let plan = Plan {
        context,
        launcher: &launcher,
        prefix: &name,
        stack: &stack,
        folder: &folder,
        template: None,
    };
    let backends = plan.start_backends().await?;
    match seed(&plan, &backends, &folder.join(MANIFEST_FILE)).await {
        Ok(()) => {
            backends.stop_for_copy().await?;
            Ok(Template { folder })
        }
        Err(error) => {
            backends.discard().await;
            remove(&folder).await;
            Err(error)
        }
    }
}

/// Brings the tables up to date, then fills them and the assets.
pub(super) async fn seed(
    plan: &Plan<'_>,
    backends: &Backends,
    manifest: &Path,
) -> Result<(), ClusterError> {
    // Whoever seeds has no jobs: renditions are made in place.
    let stack = StackSpec { jobs: JobsKind::Inline, ..plan.stack.clone() };
    let (mut flags, env) = backends.app_settings(&stack, &plan.context.secret);
    if let Some(s3) = backends.s3() {
        flags.extend(["--assets-public-url".into(), Backends::bucket_url(s3)]);
    }
    let command = |role: &str| {
        let mut args = vec!["app".to_string(), role.to_string()];
        args.extend(flags.iter().cloned());
        args
    };
    plan.run_to_end("migrate", command("migrate"), env.clone(), SEED_LIMIT).await?;
    let mut args = command("seed");
    let population = &plan.stack.population;
    for (flag, value) in [
        ("--people", population.people.to_string()),
        ("--photos", population.photos.to_string()),
        ("--pictures", population.pictures.to_string()),
        ("--follows-mean", population.follows_mean.to_string()),
        ("--seed", population.seed.to_string()),
        ("--manifest", manifest.display().to_string()),
    ] {
        args.extend([flag.to_string(), value]);
    }
    plan.run_to_end("seed", args, env, SEED_LIMIT).await?;
    Ok(())
}

/// Copies the manifest. Where pages link pictures to an object store, the address is this cluster's own.
pub(super) async fn place_manifest(
    from: &Path,
    to: &Path,
    public_url: Option<&str>,
) -> Result<(), ClusterError> {
    let text = tokio::fs::read(from).await.map_err(ClusterError::files(from))?;
    let mut manifest: serde_json::Value = serde_json::from_slice(&text)
        .map_err(std::io::Error::other)
        .map_err(ClusterError::files(from))?;
    if let (Some(manifest), Some(url)) = (manifest.as_object_mut(), public_url) {
        manifest.insert("assets_public".into(), format!("{url}/").into());
    }
    let text = manifest.to_string();
    tokio::fs::write(to, text).await.map_err(ClusterError::files(to))
}

/// Removes a folder that is no longer needed; the context's own removal is the second chance.
pub(super) async fn remove(folder: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(folder).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!(folder = %folder.display(), %error, "a folder stays until the end of the run");
    }
}
