//! The queue service's stand-in: SQS in its JSON protocol, standard queues, over axum.
//!
//! Long polling wakes on arrival, not on a timer. With `--data` every change is appended to a log, and a restarted process
//! goes on where the old one stopped; messages that were in flight are then visible at once, which "at least once" allows.
//! This file is the process, the routes and the waiting; `sqs_service` holds the queues and the log, `sqs_api` is the wire format.
//! `GET /__lightmeter/info.json` counts what was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::sqs_api::{
    ACCOUNT, ApiError, Batch, BatchAnswer, CreateQueue, GetQueueUrl, ListQueues, OneDelivery,
    OneQueue, Receive, Send, as_amz_json,
};
use super::sqs_queue::Settings;
use super::sqs_service::{BATCH_MAX, QueueService, changed, log_failed};

/// Of queues made at start: the fifth failure is the last.
const RECEIVES_MAX: u32 = 5;

/// `lightmeter standin sqs`
#[derive(Debug, Clone, clap::Args)]
pub struct SqsArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Folder of the log that survives a restart; without it queues live in memory only.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Queues to create at start; each gets a dead-letter queue of its name and `-dead`, after five receives. The address of
    /// queue NAME is `http://LISTEN/000000000000/NAME`.
    #[arg(long = "queue")]
    pub queues: Vec<String>,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The address is in use, or the log cannot be read.
pub async fn run(args: SqsArgs) -> anyhow::Result<()> {
    let service = match &args.data {
        Some(folder) => QueueService::open(folder)?,
        None => QueueService::in_memory(),
    };
    for queue in &args.queues {
        let dead = format!("{queue}-dead");
        service.create(&dead, Settings::default())?;
        let redrive = Some((dead, RECEIVES_MAX));
        service.create(queue, Settings { redrive, ..Settings::default() })?;
    }
    let listener = TcpListener::bind(args.listen).await?;
    super::announce(listener.local_addr()?)?;
    serve(listener, Arc::new(service), super::stop_signal()?).await
}

/// Serves on a listener until `stop` is cancelled; waiting receivers are then answered empty-handed.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    service: Arc<QueueService>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let shared = Arc::new(Shared { service, stop: stop.clone() });
    let router = Router::new()
        .route(super::INFO_PATH, routing::get(info))
        .fallback(routing::post(answer))
        .with_state(shared);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small answers may wait for the next packet");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await?;
    Ok(())
}

struct Shared {
    service: Arc<QueueService>,
    stop: CancellationToken,
}

async fn info(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let service = &shared.service;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let counters = &service.counters;
    let mut depths = BTreeMap::new();
    for (name, named) in &mut service.lock().queues {
        let (visible, in_flight, delayed) = named.queue.counts(Instant::now());
        let depth = json!({ "visible": visible, "in_flight": in_flight, "delayed": delayed });
        depths.insert(name.clone(), depth);
    }
    Json(json!({
        "standin": "sqs",
        "pid": std::process::id(),
        "queues": depths,
        "counters": {
            "requests": read(&counters.requests), "sent": read(&counters.sent),
            "received": read(&counters.received), "empty_receives": read(&counters.empty),
            "deleted": read(&counters.deleted), "visibility_changes": read(&counters.visibility),
            "dead_lettered": read(&counters.dead),
        }
    }))
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.service.counters.requests.fetch_add(1, Ordering::Relaxed);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed_by = format!("Credential={}/", super::s3::ACCESS_KEY);
    if !text(header::AUTHORIZATION.as_str()).contains(&signed_by) {
        let body = json!({ "__type": "com.amazonaws.sqs#InvalidClientTokenId",
            "message": "The security token included in the request is invalid." });
        return as_amz_json((StatusCode::FORBIDDEN, Json(body)).into_response());
    }
    let target = text("x-amz-target");
    let operation = target.strip_prefix("AmazonSQS.").unwrap_or(target);
    let host = text(header::HOST.as_str());
    match shared.operate(operation, host, &body).await {
        Ok(value) => as_amz_json(Json(value).into_response()),
        Err(error) => error.into_response(),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::named("SerializationException", error.to_string()))
}

/// The name at the end of a queue's address.
fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

impl Shared {
    async fn operate(&self, operation: &str, host: &str, body: &[u8]) -> Result<Value, ApiError> {
        let service = &self.service;
        let url = |name: &str| format!("http://{host}/{ACCOUNT}/{name}");
        match operation {
            "SendMessage" => {
                let request: Send = parse(body)?;
                let queue = name_of(&request.queue_url).to_owned();
                service.send(&queue, request)
            }
            "ReceiveMessage" => self.receive(&parse(body)?).await,
            "DeleteMessage" => {
                let request: OneDelivery = parse(body)?;
                service.delete(name_of(&request.queue_url), &request.receipt_handle)
            }
            "ChangeMessageVisibility" => {
                let request: OneDelivery = parse(body)?;
                service.change_visibility(name_of(&request.queue_url), &request)
            }
            "SendMessageBatch" => {
                batch(body, |entry: &Send| &entry.id, |queue, entry| service.send(queue, entry))
            }
            "DeleteMessageBatch" => batch(
                body,
                |entry: &OneDelivery| &entry.id,
                |queue, entry| service.delete(queue, &entry.receipt_handle),
            ),
            "ChangeMessageVisibilityBatch" => batch(
                body,
                |entry: &OneDelivery| &entry.id,
                |queue, entry| service.change_visibility(queue, &entry),
            ),
            "CreateQueue" => {
                let request: CreateQueue = parse(body)?;
                let settings = changed(Settings::default(), &request.attributes)?;
                service.create(check_name(&request.queue_name)?, settings).map_err(log_failed)?;
                Ok(json!({ "QueueUrl": url(&request.queue_name) }))
            }
            "GetQueueUrl" => {
                let request: GetQueueUrl = parse(body)?;
                service.lock().named(&request.queue_name)?;
                Ok(json!({ "QueueUrl": url(&request.queue_name) }))
            }
            "ListQueues" => {
                let request: ListQueues = parse(body)?;
                let inner = service.lock();
                let names = inner.queues.keys();
                let found = names.filter(|name| name.starts_with(&request.queue_name_prefix));
                Ok(json!({ "QueueUrls": found.map(|name| url(name)).collect::<Vec<_>>() }))
            }
            "GetQueueAttributes" | "SetQueueAttributes" | "PurgeQueue" | "DeleteQueue" => {
                let request: OneQueue = parse(body)?;
                let queue = name_of(&request.queue_url);
                match operation {
                    "GetQueueAttributes" => service.attributes(queue, &request.attribute_names),
                    "SetQueueAttributes" => service.set_attributes(queue, &request.attributes),
                    "PurgeQueue" => service.purge(queue),
                    _ => service.drop_queue(queue),
                }
            }
            other => {
                let message = format!("The action {other} is not valid for this endpoint.");
                Err(ApiError::named("InvalidAction", message))
            }
        }
    }

    /// Answers at once when there is something, else when something arrives, else when the time is over.
    async fn receive(&self, request: &Receive) -> Result<Value, ApiError> {
        let queue = name_of(&request.queue_url);
        let started = Instant::now();
        let arrived = self.service.arrived(queue)?;
        loop {
            // Listening starts before looking, so that nothing slips in between.
            let mut arrival = std::pin::pin!(arrived.notified());
            arrival.as_mut().enable();
            let looked = self.service.try_receive(queue, request)?;
            let deadline = started + Duration::from_secs(looked.wait_s.into());
            if !looked.found.is_empty() {
                return Ok(json!({ "Messages": looked.found }));
            }
            let look_again = looked.next_visible.map_or(deadline, |next| next.min(deadline));
            tokio::select! {
                () = arrival => {}
                () = sleep_until(look_again) => {}
                () = self.stop.cancelled() => break,
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        self.service.counters.empty.fetch_add(1, Ordering::Relaxed);
        Ok(json!({}))
    }
}

fn check_name(name: &str) -> Result<&str, ApiError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=80).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(name)
    } else {
        let message = "A name has 1 to 80 letters, digits, hyphens and underscores.";
        Err(ApiError::invalid(message))
    }
}

/// Runs the entries of a batch, each for itself.
fn batch<T: DeserializeOwned>(
    body: &[u8],
    id: impl Fn(&T) -> &String,
    mut each: impl FnMut(&str, T) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let request: Batch<T> = parse(body)?;
    if request.entries.is_empty() {
        let (kind, code) = ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest");
        return Err(ApiError::with_code(kind, code, "There should be at least one entry."));
    }
    if request.entries.len() > BATCH_MAX {
        let kind = "TooManyEntriesInBatchRequest";
        let code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
        return Err(ApiError::with_code(kind, code, "At most ten entries are permitted."));
    }
    let mut ids: Vec<&String> = request.entries.iter().map(&id).collect();
    ids.sort();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        let (kind, code) =
            ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct");
        return Err(ApiError::with_code(kind, code, "Two entries have the same Id."));
    }
    let queue = name_of(&request.queue_url).to_owned();
    let mut answer = BatchAnswer::default();
    for entry in request.entries {
        let name = id(&entry).clone();
        let outcome = each(&queue, entry);
        if let Err(error) = &outcome
            && error.kind == "QueueDoesNotExist"
        {
            return Err(error.clone());
        }
        answer.push(&name, outcome);
    }
    serde_json::to_value(answer)
        .map_err(|error| ApiError::named("InternalFailure", error.to_string()))
}
