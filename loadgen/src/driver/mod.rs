//! The driver: an open loop over hyper that follows its schedule whatever the server does.
//!
//! A [`Driver`] owns one thread with a runtime of its own, so that nothing else of the program delays a send. A trial
//! goes through: `session` (who needs to log in) -> `trial` (streams of requests) -> `timer` (until one is due) ->
//! `choice` (what request i is) -> `operation` (its requests) -> `exchange` on a connection of `pool` -> `verify` ->
//! `books` and the recorder. All of it on that one thread, without locks.

mod books;
mod choice;
mod exchange;
mod life;
mod operation;
mod pictures;
mod placement;
mod pool;
mod session;
mod timer;
mod trial;
mod types;
mod verify;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::Uri;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

pub(crate) use self::pictures::UploadForms;
#[cfg(feature = "users")]
pub(crate) use self::pictures::content_type;
pub use self::pictures::paint_jpeg;
pub use self::placement::Placement;
pub use self::types::*;
#[cfg(feature = "users")]
pub(crate) use self::verify::{card_ids, is_whole, rendition_sources};
use crate::population::Population;
use crate::record::NullServerCheck;
use exchange::Routes;
use pool::{Pool, Pools};
use session::Sessions;
use trial::{Equipment, Trial, people_needed};

/// Connections used to find out how fast the generator can be.
const NULL_CHECK_USERS: u32 = 32;

/// A thread that drives loads, one after the other. Its connections stay open between trials.
#[derive(Debug)]
pub struct Driver {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
    placement: String,
}

#[derive(Debug)]
struct Command {
    request: DriveRequest,
    cancel: CancellationToken,
    reply: oneshot::Sender<Result<Measurement, DriveError>>,
}

impl Driver {
    /// Starts the thread at its place.
    pub fn start(placement: Placement) -> Result<Self, DriveError> {
        let system = |attempted| move |source| DriveError::System { attempted, source };
        let (commands, receiver) = mpsc::unbounded_channel();
        let (ready_sender, ready) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("driver".to_owned())
            .spawn(move || {
                let words = placement::apply(placement);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Err(error) => drop(ready_sender.send(Err(error))),
                    Ok(runtime) => {
                        drop(ready_sender.send(Ok(words)));
                        runtime.block_on(serve(receiver));
                    }
                }
            })
            .map_err(system("start its thread"))?;
        let placement =
            ready.recv().map_err(|_| DriveError::Gone)?.map_err(system("build its runtime"))?;
        Ok(Self { commands: Some(commands), thread: Some(thread), placement })
    }

    /// Where the thread runs and with which priority, in words, as it was got and not as it was asked for.
    pub fn placement(&self) -> &str {
        &self.placement
    }

    /// Drives one load to its end. Loads asked for at the same time run one after the other.
    /// Cancelling, or dropping the returned future, ends it at once.
    pub async fn drive(
        &self,
        request: DriveRequest,
        cancel: CancellationToken,
    ) -> Result<Measurement, DriveError> {
        check(&request)?;
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or(DriveError::Gone)?;
        commands.send(Command { request, cancel, reply }).map_err(|_| DriveError::Gone)?;
        answer.await.map_err(|_| DriveError::Gone)?
    }

    /// Measures the generator itself against a server that does nothing: the rate it reaches with
    /// [`NULL_CHECK_USERS`] connections in a closed loop, its CPU time per request there, and the lateness of sends of a
    /// Poisson load at half that rate. Takes `duration` for each of the two.
    pub async fn null_check(
        &self,
        url: Uri,
        duration: Duration,
        cancel: CancellationToken,
    ) -> Result<NullServerCheck, DriveError> {
        let target = Target { region: "null".to_owned(), url };
        let nobody = Arc::new(Population::from_parts(0, Vec::new(), Vec::new()));
        let mut request =
            DriveRequest::new(vec![target], nobody, Pace::Users { count: NULL_CHECK_USERS });
        request.mix = vec![(Operation::Get("/".to_owned()), 1.0)];
        request.duration = duration;
        let closed = self.drive(request.clone(), cancel.clone()).await?;
        let ok_count: u64 = closed.operations.values().map(|operation| operation.ok_count).sum();
        if ok_count == 0 {
            let problem = format!("the null server gave no good answer: {:?}", closed.operations);
            return Err(DriveError::Request(problem));
        }
        let rate_per_s = ok_count as f64 * 1e6 / closed.generator.wall_us as f64;
        request.pace = Pace::Poisson { rate_per_s: rate_per_s / 2.0 };
        let open = self.drive(request, cancel).await?;
        Ok(NullServerCheck {
            rate_per_s,
            cpu_us_per_request: closed.generator.cpu_us as f64 / ok_count as f64,
            lateness_p99_us: open.generator.lateness_p99_us,
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed by the thread itself.
            let _ = thread.join();
        }
    }
}

/// What the thread keeps between trials.
#[derive(Default)]
struct Kept {
    pools: Rc<Pools>,
    sessions: Sessions,
    forms: Rc<RefCell<UploadForms>>,
}

async fn serve(mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut kept = Kept::default();
    while let Some(Command { request, cancel, mut reply }) = commands.recv().await {
        // Dropping the set ends every task of the trial; connections are tasks of the runtime and stay.
        let tasks = LocalSet::new();
        let result = tasks
            .run_until(async {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => Err(DriveError::Cancelled),
                    () = reply.closed() => Err(DriveError::Cancelled),
                    result = drive(&mut kept, request) => result,
                }
            })
            .await;
        drop(tasks);
        // Nobody waits for the result any more: then it is not wanted.
        let _ = reply.send(result);
    }
}

async fn drive(kept: &mut Kept, request: DriveRequest) -> Result<Measurement, DriveError> {
    kept.pools.begin_trial(request.connections_per_target_max as usize);
    let mut target_pools: Vec<Rc<Pool>> = Vec::new();
    let mut names = Vec::new();
    for target in &request.targets {
        let authority = target.url.authority().map_or("", |authority| authority.as_str());
        let pool = kept.pools.get(authority);
        let bad = |_| DriveError::Request(format!("`{}` is not an address", target.url));
        target_pools.push(pool.map_err(bad)?);
        names.push(authority);
    }
    let operations = request.mix.iter().map(|(operation, _)| operation);
    for operation in operations.chain(request.background.iter().map(|load| &load.operation)) {
        if let Operation::Upload { picture, filter } = operation {
            kept.forms.borrow_mut().prepare(*picture, filter);
        }
    }
    // Logins are not a part of the trial: their answers are counted for themselves.
    let routes = Routes::default();
    let people_count = request.population.people.len().min(request.people_max as usize);
    let entry = (names.join(","), &target_pools[0]);
    let needed = people_needed(&request);
    let population = request.population.clone();
    let sessions = &mut kept.sessions;
    let cookies = sessions.cookies(&population, people_count, &needed, entry, &routes).await;
    let equipment = Equipment {
        pools: kept.pools.clone(),
        target_pools,
        forms: kept.forms.clone(),
        cookies: cookies.by_person,
    };
    let mut measurement = Trial::new(request, equipment).run().await?;
    if let Some((count, fault)) = cookies.failed {
        let note = format!("{count} people could not log in before the trial: {}.", fault.kind());
        measurement.notes.insert(0, note);
    }
    Ok(measurement)
}

/// A load that can be driven, or what is wrong with it.
fn check(request: &DriveRequest) -> Result<(), DriveError> {
    let refuse = |problem: String| Err(DriveError::Request(problem));
    if request.targets.is_empty() {
        return refuse("there is no target".to_owned());
    }
    for Target { url, region } in &request.targets {
        if url.scheme_str() != Some("http") || url.authority().is_none() {
            return refuse(format!("`{url}` is not an address like http://127.0.0.1:8080"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if request.name_by_region && (region.is_empty() || !region.chars().all(plain)) {
            return refuse(format!("`{region}` cannot be a part of an operation's name"));
        }
    }
    let weights = request.mix.iter().map(|(_, weight)| *weight);
    if !weights.clone().all(|weight| weight.is_finite() && weight >= 0.0)
        || weights.sum::<f64>() <= 0.0
    {
        return refuse("the weights of the mix must be numbers above 0".to_owned());
    }
    for pace in std::iter::once(request.pace).chain(request.background.iter().map(|load| load.pace))
    {
        if pace.schedule().is_some_and(|schedule| !schedule.is_valid()) {
            return refuse(format!("{pace:?} has no rate above 0"));
        }
    }
    if request.duration.is_zero() {
        return refuse("the duration is 0".to_owned());
    }
    Ok(())
}
