//! The SQS stand-in against the client that production uses, and the app's queue and workers against the stand-in.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use bytes::Bytes;
use lightmeter::cluster::standins::sqs::serve;
use lightmeter::cluster::standins::sqs_service::QueueService;
use photo_app::assets::local::LocalAssets;
use photo_app::assets::{AssetError, AssetKey, Assets, Listing};
use photo_app::aws::{CallLimits, sdk_config};
use photo_app::jobs::conformance::{self, Uploads, picture};
use photo_app::jobs::renditions::Renderer;
use photo_app::jobs::sqs::SqsQueue;
use photo_app::jobs::{JobEvent, JobQueue, worker};
use photo_app::model::Progress;
use photo_app::store::memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough for a busy machine, short enough for a test that waits for it once.
const VISIBILITY: Duration = Duration::from_secs(2);

struct Standin {
    endpoint: String,
    client: Client,
    stop: CancellationToken,
    server: JoinHandle<anyhow::Result<()>>,
}

impl Standin {
    async fn start(service: QueueService) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, Arc::new(service), stop.clone()));
        let config =
            sdk_config(Some(&endpoint), CallLimits::LARGE).await.expect("a sound endpoint");
        Self { endpoint, client: Client::new(&config), stop, server }
    }

    async fn open(folder: &Path) -> Self {
        Self::start(QueueService::open(folder).expect("a log in a temporary folder")).await
    }

    async fn create(&self, name: &str) -> String {
        let created = self.client.create_queue().queue_name(name).send().await.expect("create");
        created.queue_url().expect("an address").to_owned()
    }

    /// A queue whose messages are dead after `receives_max` receives, and the address of its dead-letter queue.
    async fn create_with_dead_letters(&self, name: &str, receives_max: u32) -> (String, String) {
        let dead = self.create(&format!("{name}-dead")).await;
        let queue = self.create(name).await;
        let policy = format!(
            r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{name}-dead","maxReceiveCount":"{receives_max}"}}"#
        );
        let set = self.client.set_queue_attributes().queue_url(&queue);
        set.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.expect("set");
        (queue, dead)
    }

    async fn send(&self, queue: &str, body: &str) {
        let request = self.client.send_message().queue_url(queue).message_body(body);
        request.send().await.expect("send");
    }

    async fn receive(&self, queue: &str, wait_s: i32) -> Vec<(String, String)> {
        let request = self.client.receive_message().queue_url(queue).max_number_of_messages(10);
        let answer = request.wait_time_seconds(wait_s).send().await.expect("receive");
        let text = |part: Option<&str>| part.expect("a message is whole").to_owned();
        let messages = answer.messages().iter();
        messages.map(|one| (text(one.body()), text(one.receipt_handle()))).collect()
    }

    async fn connect(&self, queue: &str) -> Arc<SqsQueue> {
        let queue = SqsQueue::connect(Some(&self.endpoint), queue).await;
        Arc::new(queue.expect("a sound endpoint"))
    }

    async fn stop(self) {
        self.stop.cancel();
        self.server.await.expect("the server task ends").expect("the server ends well");
    }
}

/// A worker in this process, as `photo-app work` runs it.
struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
    done: Arc<AtomicU64>,
}

fn start_worker(queue: Arc<SqsQueue>, renderer: Arc<Renderer>, visibility: Duration) -> Worker {
    let (stop, done) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&done);
    let on_event = Arc::new(move |event: JobEvent| {
        if matches!(event, JobEvent::Done { .. }) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let work = worker::run(queue, renderer, 2, visibility, stop.clone(), on_event);
    Worker { stop, task: tokio::spawn(work), done }
}

async fn world(folder: &Path) -> Uploads {
    let assets = LocalAssets::open(folder, "/assets").expect("a temporary folder can be opened");
    Uploads::new(Arc::new(MemoryStore::new()), Arc::new(assets)).await
}

#[tokio::test]
async fn the_apps_queue_with_a_worker_keeps_every_promise() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = Standin::start(QueueService::in_memory()).await;
    let url = standin.create("jobs").await;
    let (queue, submitter) = (standin.connect(&url).await, standin.connect(&url).await);
    let stop = CancellationToken::new();
    let (worker_stop, worker) = (stop.clone(), Arc::new(tokio::sync::Mutex::new(None)));
    let started = Arc::clone(&worker);
    conformance::check_all(world(folder.path()).await, |renderer| async move {
        let mut running = start_worker(queue, renderer, Duration::from_secs(30));
        running.stop = worker_stop;
        *started.lock().await = Some(running);
        submitter as Arc<dyn JobQueue>
    })
    .await;
    let worker = worker.lock().await.take().expect("the worker was started");
    worker.stop.cancel();
    worker.task.abort();
    standin.stop().await;
}

/// Assets whose `get` says that it was called and then never returns: a worker in the middle of its job.
struct Stalled {
    inner: Arc<dyn Assets>,
    reached: Arc<Notify>,
}

#[async_trait]
impl Assets for Stalled {
    async fn put(&self, key: &AssetKey, bytes: Bytes) -> Result<(), AssetError> {
        self.inner.put(key, bytes).await
    }
    async fn get(&self, _key: &AssetKey) -> Result<Option<Bytes>, AssetError> {
        self.reached.notify_one();
        std::future::pending().await
    }
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Listing, AssetError> {
        self.inner.list(after, limit).await
    }
    async fn delete(&self, key: &AssetKey) -> Result<(), AssetError> {
        self.inner.delete(key).await
    }
    fn public_url(&self, key: &AssetKey) -> String {
        self.inner.public_url(key)
    }
    async fn ping(&self) -> Result<(), AssetError> {
        self.inner.ping().await
    }
}

#[tokio::test]
async fn a_killed_workers_photo_is_finished_by_another() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = Standin::start(QueueService::in_memory()).await;
    let url = standin.create("jobs").await;
    let uploads = world(folder.path()).await;
    let job = uploads.upload(1, picture(1, 400, 300), 400, 300).await;

    let reached = Arc::new(Notify::new());
    let stalled = Stalled { inner: Arc::clone(&uploads.assets), reached: Arc::clone(&reached) };
    let doomed = uploads.with_assets(Arc::new(stalled));
    let first = start_worker(standin.connect(&url).await, doomed.renderer(), VISIBILITY);
    standin.connect(&url).await.submit(&job).await.expect("submit");
    reached.notified().await;
    // It has the job and beats. While it lives, nobody else gets the job, however long it takes.
    let second = start_worker(standin.connect(&url).await, uploads.renderer(), VISIBILITY);
    tokio::time::sleep(VISIBILITY + Duration::from_millis(500)).await;
    assert_eq!(second.done.load(Ordering::Relaxed), 0, "the heartbeat kept the job hidden");
    first.task.abort();
    assert_eq!(uploads.settled(&job).await, Progress::Ready, "the second worker finished it");
    second.stop.cancel();
    second.task.await.expect("the worker stops by itself");
    assert_eq!(standin.connect(&url).await.depth().await.expect("depth"), (0, 0));
}

#[tokio::test]
async fn a_stopped_worker_finishes_what_it_has() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = Standin::start(QueueService::in_memory()).await;
    let url = standin.create("jobs").await;
    let uploads = world(folder.path()).await;
    let queue = standin.connect(&url).await;
    let worker = start_worker(Arc::clone(&queue), uploads.renderer(), Duration::from_secs(30));
    let job = uploads.upload(1, picture(1, 1_500, 1_000), 1_500, 1_000).await;
    queue.submit(&job).await.expect("submit");
    while queue.depth().await.expect("depth") == (1, 0) {
        tokio::task::yield_now().await;
    }
    worker.stop.cancel();
    worker.task.await.expect("the worker stops by itself");
    assert_eq!(uploads.settled(&job).await, Progress::Ready);
    assert_eq!(queue.depth().await.expect("depth"), (0, 0), "and its message is deleted");
}

#[tokio::test]
async fn what_is_no_job_ends_among_the_dead_letters() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = Standin::start(QueueService::in_memory()).await;
    let (url, dead) = standin.create_with_dead_letters("jobs", 2).await;
    let uploads = world(folder.path()).await;
    let worker = start_worker(standin.connect(&url).await, uploads.renderer(), VISIBILITY);
    standin.send(&url, "not a job").await;
    let found = standin.receive(&dead, 20).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "not a job");
    worker.stop.cancel();
    worker.task.await.expect("the worker stops by itself");
}

#[tokio::test]
async fn a_waiting_receiver_wakes_on_arrival_and_on_return() {
    let standin = Standin::start(QueueService::in_memory()).await;
    let url = standin.create("jobs").await;
    assert!(standin.receive(&url, 0).await.is_empty(), "an empty queue answers at once");
    let (first, ()) = tokio::join!(standin.receive(&url, 20), async {
        standin.send(&url, "hello").await;
    });
    assert_eq!(first[0].0, "hello");
    // Nobody sends now: the message itself comes back when its time is over or it is given back.
    let change = standin.client.change_message_visibility().queue_url(&url);
    let change = change.receipt_handle(&first[0].1).visibility_timeout(1);
    let (again, changed) = tokio::join!(standin.receive(&url, 20), change.send());
    changed.expect("change");
    assert_eq!(again[0].0, "hello");
    let late = standin.client.change_message_visibility().queue_url(&url).visibility_timeout(1);
    let late = late.receipt_handle(&first[0].1).send().await.expect_err("an old receipt");
    assert!(late.as_service_error().is_some_and(|error| error.is_message_not_inflight()));
}

#[tokio::test]
async fn batches_attributes_and_errors_are_as_documented() {
    let standin = Standin::start(QueueService::in_memory()).await;
    let (client, url) = (&standin.client, standin.create("jobs").await);
    let found = client.get_queue_url().queue_name("jobs").send().await.expect("the address");
    assert_eq!(found.queue_url(), Some(url.as_str()));
    let missing = client.get_queue_url().queue_name("nothing").send().await;
    let missing = missing.expect_err("there is no such queue");
    assert!(missing.as_service_error().is_some_and(|error| error.is_queue_does_not_exist()));

    let mut batch = client.send_message_batch().queue_url(&url);
    for number in 0..10 {
        let entry = SendMessageBatchRequestEntry::builder().id(format!("m{number}"));
        batch = batch.entries(entry.message_body(format!("{number}")).build().expect("whole"));
    }
    let sent = batch.send().await.expect("a batch");
    assert_eq!((sent.successful().len(), sent.failed().len()), (10, 0));
    let received = standin.receive(&url, 0).await;
    let bodies: Vec<&str> = received.iter().map(|(body, _)| body.as_str()).collect();
    assert_eq!(bodies, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let mut batch = client.delete_message_batch().queue_url(&url);
    for (index, (_, receipt)) in received.iter().enumerate() {
        let receipt = if index == 0 { "nonsense" } else { receipt };
        let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
        batch = batch.entries(entry.receipt_handle(receipt).build().expect("whole"));
    }
    let deleted = batch.send().await.expect("a batch");
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (9, 1));
    let queue = standin.connect(&url).await;
    assert_eq!(queue.depth().await.expect("depth"), (0, 1));
    client.purge_queue().queue_url(&url).send().await.expect("purge");
    assert_eq!(queue.depth().await.expect("depth"), (0, 0));

    let value = MessageAttributeValue::builder().data_type("String").string_value("blue").build();
    let send = client.send_message().queue_url(&url).message_body("attributed");
    let send = send.message_attributes("colour", value.expect("whole")).send().await.expect("send");
    assert!(send.md5_of_message_attributes().is_some());
    let receive = client.receive_message().queue_url(&url).message_attribute_names("All");
    let answer = receive.send().await.expect("receive");
    let attributes = answer.messages()[0].message_attributes().expect("attributes");
    assert_eq!(attributes["colour"].string_value(), Some("blue"));
    let nonsense = client.set_queue_attributes().queue_url(&url);
    let nonsense = nonsense.attributes(QueueAttributeName::VisibilityTimeout, "soon").send().await;
    assert!(nonsense.is_err());
}

#[tokio::test]
async fn queues_and_messages_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let standin = Standin::open(folder.path()).await;
    let (url, _) = standin.create_with_dead_letters("jobs", 3).await;
    for body in ["deleted", "in flight", "waiting"] {
        standin.send(&url, body).await;
    }
    let request = standin.client.receive_message().queue_url(&url).max_number_of_messages(2);
    let received = request.send().await.expect("receive");
    let receipt = received.messages()[0].receipt_handle().expect("a receipt").to_owned();
    let delete = standin.client.delete_message().queue_url(&url).receipt_handle(receipt);
    delete.send().await.expect("delete");
    standin.stop().await;

    let standin = Standin::open(folder.path()).await;
    let url = standin.client.get_queue_url().queue_name("jobs").send().await.expect("still there");
    let url = url.queue_url().expect("an address").to_owned();
    let policy = standin.client.get_queue_attributes().queue_url(&url);
    let policy = policy.attribute_names(QueueAttributeName::RedrivePolicy).send().await;
    let policy = policy.expect("attributes").attributes.unwrap_or_default();
    assert!(policy[&QueueAttributeName::RedrivePolicy].contains("jobs-dead"));
    let again: Vec<String> =
        standin.receive(&url, 0).await.into_iter().map(|(body, _)| body).collect();
    assert_eq!(again, ["in flight", "waiting"]);
}
