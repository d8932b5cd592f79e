//! `lightmeter link`: distance and bandwidth in front of an instance, as a TCP relay in user space.
//!
//! Each direction of each connection has a reader and a writer with a bounded line of chunks between them.
//! *Distance*: a chunk may leave the line half a round trip after it entered; the first one of a connection
//! additionally waits the round trip that connecting costs. *Bandwidth*: all connections of a link share one
//! token bucket per direction. A chunk is given its moment of departure when it is read (the bucket as a
//! virtual clock), and no more is read from its connection until then, so that connections take turns and
//! senders feel the limit. Departures follow a timer of the kernel, not the runtime's, which only knows whole
//! milliseconds. Not modelled: slow start, loss, jitter. Reports call what passed through a link SIMULATED.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::http::{self, INFO_PATH, announce, listen, run_role, stop_on_signal};
use super::precise_timer::PreciseTimer;

/// Bytes read at a time: 1.3 ms at 100 Mbit/s, so that connections take short turns.
const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes on their way per connection and direction: the window of a TCP connection. At 100 ms it allows
/// 80 Mbit/s per connection.
const IN_FLIGHT_BYTES_MAX: usize = 1024 * 1024;
/// The relay's own socket buffers, small, so that bytes wait in the line and not in the kernel.
const SOCKET_BUFFER_BYTES: u32 = 128 * 1024;
/// Most connections of one link.
const CONNECTIONS_MAX: usize = 4096;
/// The bucket holds at least this time's worth of bytes, to make good for late wake-ups.
const BUCKET_TIME: Duration = Duration::from_millis(4);

/// What a link does to the traffic through it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkOptions {
    /// Where it leads.
    pub to: SocketAddr,
    /// Added round-trip time.
    pub rtt: Duration,
    /// Bandwidth per direction; none: unlimited.
    pub mbit_per_s: Option<f64>,
    /// Bytes that may pass at once after a pause; none: 4 ms' worth, at least one chunk.
    pub bucket_bytes: Option<u64>,
}

/// The command line of the role.
#[derive(Debug, Clone, clap::Args)]
pub struct LinkArgs {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where counters are shown.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub control: SocketAddr,
    /// Where the link leads.
    #[arg(long)]
    pub to: SocketAddr,
    /// Added round-trip time in milliseconds.
    #[arg(long, default_value_t = 0.0)]
    pub rtt_ms: f64,
    /// Bandwidth per direction in megabits per second; unlimited when left out.
    #[arg(long)]
    pub mbit_per_s: Option<f64>,
    /// Bytes that may pass at once after a pause.
    #[arg(long)]
    pub bucket_bytes: Option<u64>,
}

/// Relays until SIGTERM.
///
/// # Errors
/// A mistake in the numbers, or an address that cannot be had.
pub fn run(args: LinkArgs) -> anyhow::Result<()> {
    run_role(async move {
        ensure!((0.0..=10_000.0).contains(&args.rtt_ms), "--rtt-ms must lie between 0 and 10000");
        let stop = stop_on_signal()?;
        let (listener, control) = (listen(args.listen).await?, listen(args.control).await?);
        let (at, control_at) = (listener.local_addr()?, control.local_addr()?);
        let options = LinkOptions {
            to: args.to,
            rtt: Duration::from_secs_f64(args.rtt_ms / 1000.0),
            mbit_per_s: args.mbit_per_s,
            bucket_bytes: args.bucket_bytes,
        };
        let link = Link::start(listener, options)?;
        announce("link", at, Some(control_at))?;
        let counters = link.counters.clone();
        let handler = move |request: hyper::Request<hyper::body::Incoming>, _peer| {
            std::future::ready(if request.uri().path() == INFO_PATH {
                http::json_answer(&counters.to_json(&options))
            } else {
                http::text_answer(hyper::StatusCode::NOT_FOUND, "Only counters live here.")
            })
        };
        http::serve(control, handler, stop, Duration::from_millis(200)).await;
        link.stop().await;
        Ok(())
    })
}

/// What has passed so far.
#[derive(Debug, Default)]
pub struct LinkCounters {
    /// Bytes from clients.
    pub up_bytes: AtomicU64,
    /// Bytes to clients.
    pub down_bytes: AtomicU64,
    /// Connections ever accepted.
    pub connection_count: AtomicU64,
    /// Connections that the far side refused.
    pub refused_count: AtomicU64,
}

impl LinkCounters {
    fn to_json(&self, options: &LinkOptions) -> serde_json::Value {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        serde_json::json!({
            "role": "link",
            "settings": {
                "rtt_ms": options.rtt.as_secs_f64() * 1000.0,
                "mbit_per_s": options.mbit_per_s,
            },
            "counters": {
                "link.up_bytes": of(&self.up_bytes),
                "link.down_bytes": of(&self.down_bytes),
                "link.connections": of(&self.connection_count),
                "link.refused": of(&self.refused_count),
            },
        })
    }
}

/// A running link. Dropping it cuts its connections.
#[derive(Debug)]
pub struct Link {
    /// What has passed so far.
    pub counters: Arc<LinkCounters>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Link {
    /// Begins to relay what the listener accepts.
    ///
    /// # Errors
    /// A bandwidth that is not a positive number.
    pub fn start(listener: TcpListener, options: LinkOptions) -> anyhow::Result<Link> {
        if let Some(rate) = options.mbit_per_s {
            ensure!(rate.is_finite() && rate > 0.0, "a link of {rate} Mbit/s carries nothing");
        }
        let link = Link {
            counters: Arc::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let relay = Relay {
            options,
            up: Arc::new(Pipe::new(&options)),
            down: Arc::new(Pipe::new(&options)),
            counters: link.counters.clone(),
        };
        let (stop, tasks) = (link.stop.clone(), link.tasks.clone());
        link.tasks.spawn(relay.accept_all(listener, stop, tasks));
        Ok(link)
    }

    /// Cuts all connections and waits until their tasks are gone.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Clone)]
struct Relay {
    options: LinkOptions,
    up: Arc<Pipe>,
    down: Arc<Pipe>,
    counters: Arc<LinkCounters>,
}

impl Relay {
    async fn accept_all(self, listener: TcpListener, stop: CancellationToken, tasks: TaskTracker) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = http::accept(&listener, &slots) => accepted,
            };
            let Some((stream, _peer, slot)) = accepted else { continue };
            self.counters.connection_count.fetch_add(1, Ordering::Relaxed);
            let (relay, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    result = relay.carry(stream) => if let Err(error) = result {
                        tracing::debug!(%error, "a connection through the link broke off");
                    }
                }
                drop(slot);
            });
        }
    }

    async fn carry(self, client: TcpStream) -> std::io::Result<()> {
        let accepted = Instant::now();
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        let server = match socket.connect(self.options.to).await {
            Ok(server) => server,
            Err(error) => {
                self.counters.refused_count.fetch_add(1, Ordering::Relaxed);
                // The refusal travels as well.
                PreciseTimer::new()?.until(accepted + self.options.rtt).await?;
                return Err(error);
            }
        };
        server.set_nodelay(true)?;
        let half = self.options.rtt / 2;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // The handshake's round trip: nothing from the client enters the line before it.
        let up = Direction { pipe: self.up, half, opens: accepted + self.options.rtt };
        let down = Direction { pipe: self.down, half, opens: accepted };
        let counters = self.counters;
        tokio::try_join!(
            up.run(from_client, to_server, &counters.up_bytes),
            down.run(from_server, to_client, &counters.down_bytes),
        )?;
        Ok(())
    }
}

/// One direction's bandwidth, shared by all connections: a token bucket as a virtual clock.
#[derive(Debug)]
struct Pipe {
    /// None: unlimited.
    bytes_per_s: Option<f64>,
    /// How far the clock may lag behind: a full bucket.
    bucket: Duration,
    /// When everything reserved so far has departed.
    free_at: Mutex<Option<Instant>>,
}

impl Pipe {
    fn new(options: &LinkOptions) -> Pipe {
        let bytes_per_s = options.mbit_per_s.map(|rate| rate * 1e6 / 8.0);
        let bucket = bytes_per_s.map_or(Duration::ZERO, |rate| {
            let bytes = options.bucket_bytes.unwrap_or_else(|| {
                (rate * BUCKET_TIME.as_secs_f64()).max(CHUNK_BYTES as f64) as u64
            });
            Duration::from_secs_f64(bytes as f64 / rate)
        });
        Pipe { bytes_per_s, bucket, free_at: Mutex::new(None) }
    }

    /// When a chunk that is here now has departed.
    fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        let Some(rate) = self.bytes_per_s else { return now };
        let takes = Duration::from_secs_f64(bytes as f64 / rate);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = now.checked_sub(self.bucket).unwrap_or(now);
        let starts = free_at.map_or(full, |at| at.max(full));
        *free_at = Some(starts + takes);
        (starts + takes).max(now)
    }
}

struct Direction {
    pipe: Arc<Pipe>,
    half: Duration,
    opens: Instant,
}

struct Chunk {
    bytes: Bytes,
    due: Instant,
    _room: OwnedSemaphorePermit,
}

impl Direction {
    async fn run(
        self,
        from: OwnedReadHalf,
        to: OwnedWriteHalf,
        counter: &AtomicU64,
    ) -> std::io::Result<()> {
        // The permits bound the bytes, and with them the length of the line.
        let (sender, line) = mpsc::unbounded_channel();
        tokio::try_join!(self.read(from, sender, counter), write(to, line))?;
        Ok(())
    }

    /// Reads chunks, gives each its moment, and puts them into the line.
    async fn read(
        self,
        mut from: OwnedReadHalf,
        line: mpsc::UnboundedSender<Chunk>,
        counter: &AtomicU64,
    ) -> std::io::Result<()> {
        let mut timer = PreciseTimer::new()?;
        let room = Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX));
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(CHUNK_BYTES);
            let read = from.read_buf(&mut buffer).await?;
            let bytes = buffer.split().freeze();
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            // An end has no bytes and takes its turn all the same. The semaphore is never closed.
            let room = room.clone().acquire_many_owned(length).await;
            let room = room.map_err(std::io::Error::other)?;
            let now = Instant::now().max(self.opens);
            let departs = self.pipe.reserve(read, now);
            counter.fetch_add(u64::from(length), Ordering::Relaxed);
            let chunk = Chunk { bytes, due: departs + self.half, _room: room };
            if line.send(chunk).is_err() || read == 0 {
                return Ok(());
            }
            timer.until(departs).await?;
        }
    }
}

/// Writes each chunk at its moment; an empty one is the end.
async fn write(
    mut to: OwnedWriteHalf,
    mut line: mpsc::UnboundedReceiver<Chunk>,
) -> std::io::Result<()> {
    let mut timer = PreciseTimer::new()?;
    while let Some(chunk) = line.recv().await {
        timer.until(chunk.due).await?;
        if chunk.bytes.is_empty() {
            break;
        }
        to.write_all(&chunk.bytes).await?;
    }
    to.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(mbit_per_s: f64, bucket_bytes: u64) -> Pipe {
        let to = "127.0.0.1:9".parse().expect("an address");
        Pipe::new(&LinkOptions {
            to,
            rtt: Duration::ZERO,
            mbit_per_s: Some(mbit_per_s),
            bucket_bytes: Some(bucket_bytes),
        })
    }

    #[test]
    fn a_full_bucket_passes_at_once_and_the_rest_at_the_rate() {
        // 8 Mbit/s is 1 byte per microsecond.
        let (pipe, start) = (pipe(8.0, 10_000), Instant::now() + Duration::from_secs(1));
        assert_eq!(pipe.reserve(10_000, start), start);
        assert_eq!(pipe.reserve(10_000, start), start + Duration::from_millis(10));
        assert_eq!(pipe.reserve(5_000, start), start + Duration::from_millis(15));
        // After a long pause the bucket is full again, and no fuller.
        let later = start + Duration::from_secs(5);
        assert_eq!(pipe.reserve(10_000, later), later);
        assert_eq!(pipe.reserve(1_000, later), later + Duration::from_millis(1));
    }

    #[test]
    fn a_late_wake_up_loses_no_bandwidth() {
        let (pipe, start) = (pipe(8.0, 10_000), Instant::now() + Duration::from_secs(1));
        pipe.reserve(20_000, start);
        // Due 10 ms after the start, but the reader comes 3 ms late: the clock has not moved.
        let late = start + Duration::from_millis(13);
        assert_eq!(pipe.reserve(20_000, late), start + Duration::from_millis(30));
    }
}
