//! What a handler leaves unread of a request's body is read on before its answer goes out.
//!
//! Whoever answers without having read everything (nobody is logged in, the form came from another site, there is no such page) and closes
//! the connection has the sender's machine throw the answer away: TCP resets what still arrives, browsers then show a broken connection
//! instead of the page, and balancers a 502. So the body is only lent to the handler; `server` has the rest read on, within limits, and the
//! connection then serves the next request. A body larger than the limits is answered all the same, and the connection ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tower::Service as _;

/// A body is read on up to this much in all, because a browser shows no answer before it has sent everything: four of the largest
/// uploads, and no more than a second's work on one network.
pub const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Reading on ends after this time: the largest upload at 9 Mbit/s.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Has the router answer, then reads on what it has not read.
pub async fn answer(mut router: Router, request: Request) -> Result<Response, Infallible> {
    if request.body().is_end_stream() {
        return router.call(request).await;
    }
    let (request, loan) = lend(request);
    let mut response = router.call(request).await?;
    if !loan.read_on(BYTES_MAX, TIME_MAX).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// A body and what is known of it.
struct Kept {
    body: Body,
    bytes_read: u64,
    asked_for: bool,
}

type Shelf = Arc<Mutex<Option<Kept>>>;

fn open(shelf: &Shelf) -> MutexGuard<'_, Option<Kept>> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body as the handler has it; dropped, it goes back to the shelf.
struct Lent {
    kept: Option<Kept>,
    shelf: Shelf,
}

/// Where the body comes back to.
struct Loan {
    shelf: Shelf,
    /// The sender waits for a sign before it sends the body.
    waits: bool,
}

fn lend(request: Request) -> (Request, Loan) {
    let expects = request.headers().get(header::EXPECT);
    let waits =
        expects.is_some_and(|expects| expects.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let shelf = Shelf::default();
    let loan = Loan { shelf: shelf.clone(), waits };
    let lent = |body| {
        let kept = Some(Kept { body, bytes_read: 0, asked_for: false });
        Body::new(Lent { kept, shelf })
    };
    (request.map(lent), loan)
}

impl Loan {
    /// Whether the body is at its end, so that the connection can go on.
    async fn read_on(self, bytes_max: u64, time_max: Duration) -> bool {
        // A body that is not back is still being read by somebody.
        let Some(mut kept) = open(&self.shelf).take() else { return true };
        if self.waits && !kept.asked_for {
            // The answer is the sign not to send it.
            return false;
        }
        tokio::time::timeout(time_max, kept.read_on(bytes_max)).await.unwrap_or(false)
    }
}

impl Kept {
    async fn read_on(&mut self, bytes_max: u64) -> bool {
        while self.bytes_read + self.body.size_hint().lower() <= bytes_max {
            match self.body.frame().await {
                Some(Ok(frame)) => self.count(&frame),
                // The sender has gone.
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        false
    }

    fn count(&mut self, frame: &Frame<Bytes>) {
        self.bytes_read += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(kept) = &mut self.get_mut().kept else { return Poll::Ready(None) };
        kept.asked_for = true;
        let polled = Pin::new(&mut kept.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            kept.count(frame);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.kept.as_ref().is_none_or(|kept| kept.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.kept.as_ref().map(|kept| kept.body.size_hint()).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *open(&self.shelf) = self.kept.take();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use futures_util::stream;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A body of this many chunks of ten bytes, and then what `end` says.
    fn chunks(count: usize, end: Body) -> Body {
        let chunks = (0..count).map(|_| Ok(Bytes::from_static(b"0123456789")));
        Body::from_stream(stream::iter(chunks).chain(end.into_data_stream()))
    }

    fn lent(body: Body) -> (Request, Loan) {
        lend(Request::new(body))
    }

    #[tokio::test]
    async fn what_nobody_has_read_is_read() {
        let (request, loan) = lent(chunks(5, Body::empty()));
        drop(request);
        assert!(loan.read_on(50, SECOND).await);
        let (request, loan) = lent(Body::from("whole"));
        assert_eq!(axum::body::to_bytes(request.into_body(), 5).await.expect("whole"), "whole");
        assert!(loan.read_on(5, SECOND).await);
    }

    #[tokio::test]
    async fn the_limit_counts_what_the_handler_has_read_as_well() {
        for (limit, whole) in [(50, true), (49, false)] {
            let (request, loan) = lent(chunks(5, Body::empty()));
            let mut body = request.into_body();
            for _ in 0..3 {
                assert!(body.frame().await.expect("a frame").is_ok());
            }
            drop(body);
            assert_eq!(loan.read_on(limit, SECOND).await, whole, "{limit}");
        }
    }

    #[tokio::test]
    async fn a_body_that_says_it_is_too_large_is_not_begun() {
        let (request, loan) = lent(Body::from(vec![0_u8; 51]));
        drop(request);
        assert!(!loan.read_on(50, SECOND).await);
    }

    #[tokio::test]
    async fn a_sender_that_stops_is_not_waited_for_without_end() {
        let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let (request, loan) = lent(chunks(2, never));
        drop(request);
        assert!(!loan.read_on(1_000, Duration::from_millis(1)).await);
    }

    #[tokio::test]
    async fn a_sender_that_has_gone_is_the_end() {
        let gone = stream::once(async { Err::<Bytes, _>(std::io::Error::other("gone")) });
        let (request, loan) = lent(chunks(2, Body::from_stream(gone)));
        drop(request);
        assert!(!loan.read_on(1_000, SECOND).await);
    }

    #[tokio::test]
    async fn whoever_waits_for_a_sign_is_not_asked_for_what_nobody_wants() {
        let expecting = || {
            let request = Request::builder().header(header::EXPECT, "100-Continue");
            lend(request.body(chunks(5, Body::empty())).expect("a sound request"))
        };
        let (request, loan) = expecting();
        drop(request);
        assert!(!loan.read_on(50, SECOND).await);
        let (request, loan) = expecting();
        let mut body = request.into_body();
        assert!(body.frame().await.expect("a frame").is_ok());
        drop(body);
        assert!(loan.read_on(50, SECOND).await, "what was begun is read on");
    }

    #[tokio::test]
    async fn a_body_in_somebodys_hands_is_left_there() {
        let (request, loan) = lent(chunks(5, Body::empty()));
        assert!(loan.read_on(0, SECOND).await);
        let bytes = axum::body::to_bytes(request.into_body(), 50).await.expect("it is whole");
        assert_eq!(bytes.len(), 50);
    }
}
