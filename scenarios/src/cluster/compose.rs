//! The order in which a cluster comes up, and how its parts find each other.
//!
//! Services and stand-ins -> migrate and seed (or a template) -> the assets' own way to the users -> web
//! servers and workers -> balancer -> one delay link per region. Requests take that way backwards:
//! region link -> balancer -> bandwidth link -> web server. Pictures of an object store take theirs: region
//! link -> store; with a CDN: short link -> edge -> the region's long link -> store.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::future::try_join_all;
use http::StatusCode;

use super::backends::{Backends, Plan};
use super::http::get;
use super::spec::{RegionSpec, StackSpec};
use super::template::{MANIFEST_FILE, place_manifest, seed, template_for};
use super::{AssetEntries, Cluster, ClusterContext, ClusterError, EntryPoint, Instance, Role};

/// How long a part may take until it says that it is ready. A web server with a budget of 5 % needs some.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Between two questions: first and longest.
const READY_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));
/// The region of users on this machine.
const HERE: &str = "local";

/// Brings everything up, leaving what has started in `cluster` whatever happens.
pub(super) async fn bring_up(
    context: &ClusterContext,
    cluster: &mut Cluster,
) -> Result<(), ClusterError> {
    let (stack, folder) = (cluster.stack.clone(), cluster.folder.path().to_path_buf());
    let logs = context.launcher.logs().join(&cluster.name);
    let launcher = context.launcher.clone().logging_to(logs);
    let template = template_for(context, &stack).await?;
    let plan = Plan {
        context,
        launcher: &launcher,
        prefix: &cluster.name.clone(),
        stack: &stack,
        folder: &folder,
        template: template.as_deref(),
    };
    let backends = cluster.backends.insert(plan.start_backends().await?);
    if template.is_none() {
        seed(&plan, backends, &folder.join(MANIFEST_FILE)).await?;
    }
    let (backends, instances) = (&*backends, &mut cluster.instances);
    let assets = start_assets_way(&plan, backends, instances).await?;
    let public_url = assets.as_ref().map(|assets| assets.public_url.clone());
    let manifest = template.as_deref().unwrap_or(&folder).join(MANIFEST_FILE);
    place_manifest(&manifest, &cluster.population, public_url.as_deref()).await?;
    cluster.assets = assets;
    let web = start_app(&plan, backends, public_url.as_deref(), instances).await?;
    let entry = start_entry(&plan, &web, instances).await?;
    cluster.entry_points = start_regions(&plan, entry, instances).await?;
    for entry in &cluster.entry_points {
        until_ready(instances, &entry.region, entry.address).await?;
    }
    cluster.apply_budgets(true)
}

fn link_args(to: SocketAddr, rtt_ms: f64, mbit_per_s: Option<f64>) -> Vec<String> {
    let mut args: Vec<String> =
        ["link", "--listen", "127.0.0.1:0", "--to"].map(String::from).to_vec();
    args.push(to.to_string());
    if rtt_ms > 0.0 {
        args.extend(["--rtt-ms".into(), rtt_ms.to_string()]);
    }
    if let Some(rate) = mbit_per_s {
        args.extend(["--mbit-per-s".into(), rate.to_string()]);
    }
    args
}

async fn start_link(
    plan: &Plan<'_>,
    name: &str,
    args: Vec<String>,
    instances: &mut Vec<Instance>,
) -> Result<SocketAddr, ClusterError> {
    let link = plan.start_role(name, Role::Link, None, args, Vec::new()).await?;
    let address = link.listening;
    instances.push(link);
    Ok(address)
}

/// How users reach pictures that do not come from the web server; none for local files.
async fn start_assets_way(
    plan: &Plan<'_>,
    backends: &Backends,
    instances: &mut Vec<Instance>,
) -> Result<Option<AssetEntries>, ClusterError> {
    let Some(store) = backends.s3() else { return Ok(None) };
    let here = RegionSpec { name: HERE.into(), rtt_ms: 0.0, cdn_rtt_ms: 0.0 };
    let regions = match &plan.stack.links.regions[..] {
        [] => std::slice::from_ref(&here),
        regions => regions,
    };
    let mut entries = AssetEntries::default();
    for region in regions {
        let name = &region.name;
        let mut address = store;
        if region.rtt_ms > 0.0 {
            let args = link_args(store, region.rtt_ms, None);
            address = start_link(plan, &format!("link-s3-{name}"), args, instances).await?;
        }
        if plan.stack.cdn {
            let args = ["cdn", "--listen", "127.0.0.1:0", "--origin", &format!("http://{address}")]
                .map(String::from)
                .to_vec();
            let edge = format!("cdn-{name}");
            let edge = plan.start_role(&edge, Role::StandIn, None, args, Vec::new()).await?;
            address = edge.listening;
            instances.push(edge);
            if region.cdn_rtt_ms > 0.0 {
                let args = link_args(address, region.cdn_rtt_ms, None);
                address = start_link(plan, &format!("link-cdn-{name}"), args, instances).await?;
            }
        }
        entries.by_region.insert(name.clone(), Backends::bucket_url(address));
    }
    // Pages can name one address only: the first region's. The others are found by the driver's rewrite,
    // as a resolver would send each user to the nearest edge.
    let first = entries.by_region.get(&regions[0].name).cloned();
    entries.public_url = first.unwrap_or_default();
    Ok(Some(entries))
}

/// Web servers and workers at the same time; gives the addresses under which the web servers are reached.
async fn start_app(
    plan: &Plan<'_>,
    backends: &Backends,
    public_url: Option<&str>,
    instances: &mut Vec<Instance>,
) -> Result<Vec<SocketAddr>, ClusterError> {
    let stack = plan.stack;
    let (mut flags, env) = backends.app_settings(stack, &plan.context.secret);
    if let Some(url) = public_url {
        flags.extend(["--assets-public-url".into(), url.into()]);
    }
    let start = |role: Role, word: &'static str, name: String, budget: Option<f64>| {
        let mut args: Vec<String> =
            ["app", word, "--listen", "127.0.0.1:0", "--instance", &name].map(String::from).into();
        args.extend(flags.iter().cloned());
        if role == Role::Web && stack.has_balancer() {
            args.extend(["--client-address".into(), "forwarded".into()]);
        }
        let env = env.clone();
        async move { plan.start_role(&name, role, budget, args, env).await }
    };
    let budgets = &stack.budgets;
    let web = (1..=stack.web_count)
        .map(|number| start(Role::Web, "serve", format!("web-{number}"), budgets.web));
    let workers = (1..=stack.worker_count)
        .map(|number| start(Role::Worker, "work", format!("worker-{number}"), budgets.worker));
    let (web, workers) = tokio::try_join!(try_join_all(web), try_join_all(workers))?;
    let addresses: Vec<SocketAddr> = web.iter().map(|one| one.listening).collect();
    instances.extend(web);
    instances.extend(workers);
    for address in &addresses {
        until_ready(instances, "a web server", *address).await?;
    }
    let Some(rate) = stack.links.web_mbit_per_s else { return Ok(addresses) };
    let mut behind_links = Vec::new();
    for (index, to) in addresses.into_iter().enumerate() {
        let name = format!("link-web-{}", index + 1);
        let args = link_args(to, 0.0, Some(rate));
        let address = start_link(plan, &name, args, instances).await?;
        if let Some(link) = instances.last_mut() {
            link.carries = Some(format!("web-{}", index + 1));
        }
        behind_links.push(address);
    }
    Ok(behind_links)
}

/// The one address behind which all web servers are.
async fn start_entry(
    plan: &Plan<'_>,
    web: &[SocketAddr],
    instances: &mut Vec<Instance>,
) -> Result<SocketAddr, ClusterError> {
    if !plan.stack.has_balancer() {
        return Ok(web[0]);
    }
    let mut args: Vec<String> = ["balancer", "--listen", "127.0.0.1:0"].map(String::from).into();
    for address in web {
        args.extend(["--upstream".into(), address.to_string()]);
    }
    let balancer = plan.start_role("balancer", Role::Balancer, None, args, Vec::new()).await?;
    let address = balancer.listening;
    instances.push(balancer);
    Ok(address)
}

/// One way in per region, each at its distance.
async fn start_regions(
    plan: &Plan<'_>,
    entry: SocketAddr,
    instances: &mut Vec<Instance>,
) -> Result<Vec<EntryPoint>, ClusterError> {
    let mut entry_points = Vec::new();
    for region in &plan.stack.links.regions {
        let mut address = entry;
        if region.rtt_ms > 0.0 {
            let args = link_args(entry, region.rtt_ms, None);
            address = start_link(plan, &format!("link-{}", region.name), args, instances).await?;
        }
        entry_points.push(EntryPoint::new(&region.name, address));
    }
    if entry_points.is_empty() {
        entry_points.push(EntryPoint::new(HERE, entry));
    }
    Ok(entry_points)
}

/// Asks `/readyz` until it answers 200, but not beyond the death of anything that has started.
async fn until_ready(
    instances: &[Instance],
    what: &str,
    address: SocketAddr,
) -> Result<(), ClusterError> {
    let asking = async {
        let (mut pause, longest) = READY_PAUSE;
        loop {
            let said = match get(address, "/readyz", Duration::from_secs(5)).await {
                Ok((StatusCode::OK, _)) => return Ok(()),
                Ok((status, body)) => format!("{status}: {}", String::from_utf8_lossy(&body)),
                Err(error) => format!("{error:#}"),
            };
            tracing::debug!(%address, said, "not ready yet");
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(longest);
        }
    };
    let deaths = instances
        .iter()
        .map(|instance| Box::pin(async move { (instance, instance.process.exited().await) }));
    tokio::select! {
        biased;
        ready = asking => ready,
        ((dead, status), ..) = futures_util::future::select_all(deaths) => {
            Err(dead.process.died(status).into())
        }
        () = tokio::time::sleep(READY_LIMIT) => Err(ClusterError::NotReady {
            what: what.to_string(),
            address,
            seconds: READY_LIMIT.as_secs(),
            logs: logs_of(instances),
        }),
    }
}

/// The folder in which all their logs are.
fn logs_of(instances: &[Instance]) -> std::path::PathBuf {
    let first = instances.first().and_then(|instance| instance.process.log().parent());
    first.map(Path::to_path_buf).unwrap_or_default()
}

/// What a stack consists of, for messages and for the record of what stood in for a cloud service.
pub(super) fn stand_ins_of(stack: &StackSpec) -> Vec<&'static str> {
    use super::spec::{AssetsKind, JobsKind, StoreKind};
    let mut found = Vec::new();
    if stack.store.kind == StoreKind::Dynamodb {
        found.push("dynamodb");
    }
    if stack.assets == AssetsKind::S3 {
        found.push("s3");
    }
    if stack.cdn {
        found.push("cdn");
    }
    if stack.jobs == JobsKind::Sqs {
        found.push("sqs");
    }
    found
}
