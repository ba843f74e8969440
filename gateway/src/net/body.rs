//! Reading a request's body: under a limit, against a budget, and not for ever.
//!
//! A body that arrives in one piece is not copied. One that trickles is given up, because a
//! thousand senders of one byte a second would otherwise hold a thousand reservations.

use std::{fmt, future::poll_fn, pin::Pin, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use tokio::time::{Instant, timeout_at};

use crate::batch::Exhausted;

/// Silence in the middle of a body after which its sender is given up.
pub const STALL: Duration = Duration::from_secs(10);

/// Slowest honest sender, in bytes a second over the whole body: far below any modem, far above
/// one byte in every `STALL`.
pub const RATE_MIN: u64 = 1024;

/// Time in which the rate is not looked at.
pub const RATE_FREE: Duration = Duration::from_secs(20);

/// First room for a body of unknown length, in bytes.
const ROOM_MIN: usize = 8 * 1024;

/// Asks for memory before it is taken.
pub type Admit<'a> = &'a mut (dyn FnMut(u64) -> Result<(), Exhausted> + Send);

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is, or says that it will be, larger than this many bytes.
    TooLarge {
        /// The bound that was met.
        limit: u64,
    },
    /// There is no memory for it now.
    Exhausted(Exhausted),
    /// It came too slowly.
    Slow,
    /// The connection or the stream broke off.
    Broken,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(formatter, "body is larger than {limit} bytes"),
            Self::Exhausted(exhausted) => exhausted.fmt(formatter),
            Self::Slow => formatter.write_str("body came too slowly"),
            Self::Broken => formatter.write_str("body broke off before its end"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Exhausted> for Error {
    fn from(exhausted: Exhausted) -> Self {
        Self::Exhausted(exhausted)
    }
}

/// Takes the frames of a body as long as they come fast enough.
#[derive(Debug)]
pub struct Pace<B> {
    body: B,
    started: Instant,
    deadline: Option<Instant>,
    strict: bool,
    received: u64,
}

impl<B: Body<Data = Bytes> + Unpin> Pace<B> {
    /// Starts the clock; `timeout` bounds the whole body.
    pub fn new(body: B, timeout: Option<Duration>) -> Self {
        let started = Instant::now();
        let deadline = timeout.map(|timeout| started + timeout);
        Self {
            body,
            started,
            deadline,
            strict: true,
            received: 0,
        }
    }

    /// Starts a clock that only knows the whole body's timeout.
    pub fn patient(body: B, timeout: Option<Duration>) -> Self {
        Self {
            strict: false,
            ..Self::new(body, timeout)
        }
    }

    /// The length that the sender declared.
    pub fn declared(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next frame, or none at the end.
    ///
    /// # Errors
    /// If the body breaks off or is too slow.
    pub async fn frame(&mut self) -> Result<Option<Frame<Bytes>>, Error> {
        // Most frames are there already, and need no timer.
        let body = &mut self.body;
        let ready = poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context))).await;
        let frame = match ready {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let patience = self.patience(Instant::now());
                let next = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context));
                match patience {
                    Some(end) => timeout_at(end, next).await.map_err(|_| Error::Slow)?,
                    None => next.await,
                }
            }
        };
        let frame = frame.transpose().map_err(|_| Error::Broken)?;
        if let Some(data) = frame.as_ref().and_then(Frame::data_ref) {
            self.received += data.len() as u64;
        }
        Ok(frame)
    }

    /// The bytes of the next frame that has any, or none at the end.
    ///
    /// # Errors
    /// If the body breaks off or is too slow.
    pub async fn data(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.frame().await? {
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Until when the next frame is waited for.
    fn patience(&self, now: Instant) -> Option<Instant> {
        if !self.strict {
            return self.deadline;
        }
        let stalled = now + STALL;
        let earned = Duration::from_secs(self.received / RATE_MIN);
        let patience = stalled.min(self.started + RATE_FREE + earned);
        Some(
            self.deadline
                .map_or(patience, |deadline| patience.min(deadline)),
        )
    }
}

/// Reads a body to its end.
///
/// # Errors
/// If it is larger than `limit`, too slow, broken, or `admit` refuses its memory.
pub async fn read<B: Body<Data = Bytes> + Unpin>(
    body: &mut Pace<B>,
    limit: u64,
    admit: Admit<'_>,
) -> Result<Bytes, Error> {
    if let Some(length) = body.declared() {
        if length > limit {
            return Err(Error::TooLarge { limit });
        }
        admit(length)?;
        return read_declared(body, length).await;
    }
    read_chunked(body, limit, admit).await
}

async fn read_declared<B: Body<Data = Bytes> + Unpin>(
    body: &mut Pace<B>,
    length: u64,
) -> Result<Bytes, Error> {
    let Some(first) = body.data().await? else {
        return Ok(Bytes::new());
    };
    if first.len() as u64 >= length {
        return Ok(first);
    }
    let length = usize::try_from(length).map_err(|_| Error::TooLarge { limit: length })?;
    let mut whole = BytesMut::with_capacity(length);
    whole.extend_from_slice(&first);
    while let Some(data) = body.data().await? {
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn read_chunked<B: Body<Data = Bytes> + Unpin>(
    body: &mut Pace<B>,
    limit: u64,
    admit: Admit<'_>,
) -> Result<Bytes, Error> {
    let mut whole = BytesMut::new();
    while let Some(data) = body.data().await? {
        if (whole.len() + data.len()) as u64 > limit {
            return Err(Error::TooLarge { limit });
        }
        let free = whole.capacity() - whole.len();
        if free < data.len() {
            // Doubling, as vectors do, but asked for.
            let additional = data.len().max(whole.len()).max(ROOM_MIN);
            admit(additional as u64)?;
            whole.reserve(additional);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    /// A body of unknown or known length that sends a chunk at each interval.
    struct Drip {
        chunks: Vec<Bytes>,
        interval: Duration,
        declared: Option<u64>,
        sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    }

    impl Drip {
        fn new(chunks: &[&'static [u8]], declared: Option<u64>) -> Self {
            let chunks = chunks
                .iter()
                .rev()
                .map(|chunk| Bytes::from_static(chunk))
                .collect();
            Self {
                chunks,
                interval: Duration::ZERO,
                declared,
                sleep: None,
            }
        }
    }

    impl Body for Drip {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            if !self.interval.is_zero() {
                let interval = self.interval;
                let sleep = self
                    .sleep
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(interval)));
                std::task::ready!(sleep.as_mut().poll(context));
                self.sleep = None;
            }
            Poll::Ready(self.chunks.pop().map(|chunk| Ok(Frame::data(chunk))))
        }

        fn size_hint(&self) -> http_body::SizeHint {
            self.declared
                .map_or_else(http_body::SizeHint::new, http_body::SizeHint::with_exact)
        }
    }

    async fn read_drip(drip: Drip, limit: u64) -> Result<(Bytes, u64), Error> {
        let mut taken = 0;
        let mut admit = |bytes| {
            taken += bytes;
            Ok(())
        };
        let bytes = read(&mut Pace::new(drip, None), limit, &mut admit).await?;
        Ok((bytes, taken))
    }

    #[tokio::test]
    async fn bodies_are_read_whole_within_the_limit() {
        let (bytes, taken) = read_drip(Drip::new(&[b"abc"], Some(3)), 3).await.unwrap();
        assert_eq!((&bytes[..], taken), (&b"abc"[..], 3));
        let (bytes, taken) = read_drip(Drip::new(&[b"abc", b"", b"de"], Some(5)), 5)
            .await
            .unwrap();
        assert_eq!((&bytes[..], taken), (&b"abcde"[..], 5));
        let (bytes, taken) = read_drip(Drip::new(&[b"abc", b"de"], None), 5)
            .await
            .unwrap();
        assert_eq!((&bytes[..], taken), (&b"abcde"[..], ROOM_MIN as u64));
        assert_eq!(read_drip(Drip::new(&[], None), 5).await.unwrap().0.len(), 0);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_before_memory_is_taken() {
        for declared in [Some(6), None] {
            let mut admit = |_| panic!("asked for memory");
            let mut body = Pace::new(Drip::new(&[b"abcdef"], declared), None);
            let answer = read(&mut body, 5, &mut admit).await;
            assert_eq!(answer, Err(Error::TooLarge { limit: 5 }));
        }
    }

    #[tokio::test]
    async fn no_memory_is_an_answer() {
        let none = Exhausted { wanted: 3, free: 0 };
        for declared in [Some(3), None] {
            let mut body = Pace::new(Drip::new(&[b"abc"], declared), None);
            let answer = read(&mut body, 5, &mut |_| Err(none)).await;
            assert_eq!(answer, Err(Error::Exhausted(none)));
        }
    }

    #[tokio::test]
    async fn slow_senders_are_given_up() {
        for (milliseconds, answer) in [(1, Err(Error::Slow)), (5_000, Ok(1))] {
            let mut drip = Drip::new(&[b"x"], None);
            drip.interval = Duration::from_millis(20);
            let mut body = Pace::new(drip, Some(Duration::from_millis(milliseconds)));
            let read = read(&mut body, 1 << 20, &mut |_| Ok(())).await;
            assert_eq!(read.map(|bytes| bytes.len()), answer, "{milliseconds} ms");
        }
    }

    #[tokio::test]
    async fn patience_is_for_a_stall_a_rate_and_a_whole() {
        // Seconds since the start, bytes received, timeout of the whole: until which second?
        for (now, received, timeout, until) in [
            (0, 0, None, 10),
            (9, 0, None, 19),
            (15, 0, None, 20),
            (15, 3 * 1024, None, 23),
            (100, 1 << 20, None, 110),
            (100, 1 << 20, Some(105), 105),
            (0, 0, Some(60), 10),
        ] {
            let seconds = Duration::from_secs;
            let mut body = Pace::new(Drip::new(&[], None), timeout.map(seconds));
            body.received = received;
            let patience = body.patience(body.started + seconds(now));
            assert_eq!(
                patience,
                Some(body.started + seconds(until)),
                "{now} {received}"
            );
        }
        let body = Pace::patient(Drip::new(&[], None), None);
        assert_eq!(body.patience(body.started), None);
    }
}
