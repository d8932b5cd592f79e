//! Connections to one address: kept alive between requests and between trials, more are opened on demand up to a
//! limit, and beyond it requests wait in a queue, first come first served. All on one thread, so no locks.
//!
//! A connection has no task of its own: the request that holds it drives it ([`Connection::drive`]). An answer then wakes
//! one task, not two; that the server has closed an idle connection is noticed when it is taken up again.
//!
//! A [`Slot`] is the right to have one connection open. It is given back when it is dropped, whatever ended the
//! request (answer, error, timeout, cancelled trial), so the count cannot drift.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::exchange::Fault;

/// The request, if it was not sent because the connection had ended; none when it is lost on the way.
pub(super) type Unsent = Option<Request<Body>>;

/// The body of every request: whole in memory.
pub(super) type Body = Full<Bytes>;

/// The pools by `host:port`.
#[derive(Default)]
pub(super) struct Pools {
    by_authority: RefCell<HashMap<String, Rc<Pool>>>,
    connections_max: Rc<Cell<usize>>,
}

impl Pools {
    /// The pool for an authority (`host` or `host:port`); fails on one that no header can hold.
    pub(super) fn get(&self, authority: &str) -> Result<Rc<Pool>, Fault> {
        if let Some(pool) = self.by_authority.borrow().get(authority) {
            return Ok(pool.clone());
        }
        let host = HeaderValue::from_str(authority).map_err(|_| Fault::BadAddress)?;
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let address = if port.is_some() { authority.to_owned() } else { format!("{authority}:80") };
        let connections_max = self.connections_max.clone();
        let pool = Rc::new(Pool { address, host, connections_max, state: RefCell::default() });
        self.by_authority.borrow_mut().insert(authority.to_owned(), pool.clone());
        Ok(pool)
    }

    /// Sets the limit of connections per pool and forgets those that were closed since the last trial.
    pub(super) fn begin_trial(&self, connections_max: usize) {
        self.connections_max.set(connections_max.max(1));
        self.by_authority.borrow_mut().retain(|_, pool| {
            // Taken out first: dropping a connection borrows the pool's state.
            let idle = std::mem::take(&mut pool.state.borrow_mut().idle);
            let alive = idle.into_iter().filter(|connection| !connection.sender.is_closed());
            let alive: Vec<_> = alive.collect();
            let keep = !alive.is_empty();
            pool.state.borrow_mut().idle = alive;
            keep
        });
    }
}

impl Drop for Pools {
    /// Idle connections hold their pool: taking them out lets both go.
    fn drop(&mut self) {
        for pool in self.by_authority.borrow().values() {
            let idle = std::mem::take(&mut pool.state.borrow_mut().idle);
            drop(idle);
        }
    }
}

/// The connections to one address.
pub(super) struct Pool {
    address: String,
    /// The `Host` header.
    pub(super) host: HeaderValue,
    connections_max: Rc<Cell<usize>>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    open: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// What a waiting request gets: a connection, or the right to open one.
enum Turn {
    Use(Connection),
    Open(Slot),
}

/// The right to have one connection open; given back on drop.
struct Slot {
    pool: Rc<Pool>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.pool.state.borrow_mut();
        state.open -= 1;
        let Some(next) = state.waiting.pop_front() else { return };
        state.open += 1;
        drop(state);
        // When that request has given up, the new slot is dropped here and goes to the one after it.
        let _ = next.send(Turn::Open(Slot { pool: self.pool.clone() }));
    }
}

/// An open connection, in the hands of one request.
pub(super) struct Connection {
    /// To send with.
    pub(super) sender: SendRequest<Body>,
    /// What reads and writes; none once it has ended.
    machine: Option<Machine>,
    /// Whether a request was sent on it before.
    pub(super) used: bool,
    slot: Slot,
}

/// hyper's state machine of a connection.
type Machine = Pin<Box<http1::Connection<TokioIo<TcpStream>, Body>>>;

impl Connection {
    /// Sends a request: the future must be driven. Separate from [`Connection::drive`] because of the borrow.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Unsent> {
        let answer = self.sender.try_send_request(request);
        drive(&mut self.machine, answer).await.map_err(|mut error| error.take_message())
    }

    /// Drives the connection until `wanted`, which depends on it, is there.
    pub(super) async fn drive<F: Future>(&mut self, wanted: F) -> F::Output {
        drive(&mut self.machine, wanted).await
    }

    async fn is_usable(&mut self) -> bool {
        self.sender.is_ready() || drive(&mut self.machine, self.sender.ready()).await.is_ok()
    }

    /// Gives the connection to the next request, or keeps it for later.
    pub(super) fn release(mut self) {
        self.used = true;
        let pool = self.slot.pool.clone();
        let mut connection = self;
        while !connection.sender.is_closed() {
            let next = pool.state.borrow_mut().waiting.pop_front();
            let Some(next) = next else {
                pool.state.borrow_mut().idle.push(connection);
                return;
            };
            match next.send(Turn::Use(connection)) {
                Ok(()) => return,
                Err(Turn::Use(refused)) => connection = refused,
                Err(Turn::Open(_)) => return,
            }
        }
    }
}

impl Pool {
    /// A connection that is ready to send: an idle one, a new one, or the next that becomes free.
    pub(super) async fn acquire(self: &Rc<Self>) -> Result<Connection, Fault> {
        loop {
            let mut connection = match self.take_idle() {
                Some(connection) => connection,
                // Rare, and its state is large: boxed, so that every request stays small.
                None => Box::pin(self.open_or_wait()).await?,
            };
            if connection.is_usable().await {
                return Ok(connection);
            }
            if !connection.used {
                return Err(Fault::Lost);
            }
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        loop {
            // Last in, first out: the load needs as few connections as it can.
            let connection = self.state.borrow_mut().idle.pop()?;
            if !connection.sender.is_closed() {
                return Some(connection);
            }
        }
    }

    fn take_slot(self: &Rc<Self>) -> Option<Slot> {
        let mut state = self.state.borrow_mut();
        if state.open >= self.connections_max.get() {
            return None;
        }
        state.open += 1;
        Some(Slot { pool: self.clone() })
    }

    async fn open_or_wait(self: &Rc<Self>) -> Result<Connection, Fault> {
        if let Some(slot) = self.take_slot() {
            return self.open(slot).await;
        }
        let (sender, receiver) = oneshot::channel();
        self.state.borrow_mut().waiting.push_back(sender);
        match receiver.await {
            Ok(Turn::Use(connection)) => Ok(connection),
            Ok(Turn::Open(slot)) => self.open(slot).await,
            // The queue is only dropped with the pool itself.
            Err(_) => Err(Fault::Lost),
        }
    }

    async fn open(&self, slot: Slot) -> Result<Connection, Fault> {
        let stream = TcpStream::connect(&self.address).await.map_err(|_| Fault::Connect)?;
        stream.set_nodelay(true).map_err(|_| Fault::Connect)?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_| Fault::Connect)?;
        Ok(Connection { sender, machine: Some(Box::pin(connection)), used: false, slot })
    }
}

/// Polls `wanted`, then the connection, then `wanted` again: what the first asks for (a request written, the next part of
/// a body) the second often has at hand, and the task need not be woken for it.
async fn drive<F: Future>(machine: &mut Option<Machine>, wanted: F) -> F::Output {
    let mut wanted = pin!(wanted);
    poll_fn(|context| {
        if let Poll::Ready(output) = wanted.as_mut().poll(context) {
            return Poll::Ready(output);
        }
        if let Some(running) = machine {
            // Its error reaches the request through `wanted`.
            if running.as_mut().poll(context).is_ready() {
                *machine = None;
            }
        }
        wanted.as_mut().poll(context)
    })
    .await
}
