//! Watching the frames of gRPC clients: that HTTP/2 was begun, and that pings keep to a rate, as
//! grpc-go's servers do.
//!
//! hyper answers pings by itself and does not say so, so the frames are counted on their way in. A
//! connection whose client pings too often is closed.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::activity::Activity;

/// Pings that come too early before the connection is closed: grpc-go's number.
const STRIKES_MAX: u32 = 2;

/// How seldom a client must ping that may not ping without a call in progress: grpc-go's number.
const SELDOM: Duration = Duration::from_secs(2 * 60 * 60);

/// What clients may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Least time between two pings.
    pub min_time: Duration,
    /// Whether a client may ping while it has no call in progress.
    pub permit_without_stream: bool,
}

/// A connection whose frames are watched.
#[derive(Debug)]
pub struct Policed<S> {
    stream: S,
    frames: Frames,
    /// None if clients may ping as they like.
    police: Option<Police>,
    activity: Arc<Activity>,
}

impl<S> Policed<S> {
    /// Watches a connection from its first byte.
    pub fn new(stream: S, policy: Option<Policy>, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            frames: Frames::default(),
            police: policy.map(Police::new),
            activity,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Policed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if this.police.is_none() && this.frames.has_begun {
            return Poll::Ready(Ok(()));
        }
        let pings = this.frames.pings(&buffer.filled()[before..]);
        if this.frames.has_begun {
            this.activity.greet();
        }
        let Some(police) = &mut this.police else {
            return Poll::Ready(Ok(()));
        };
        for _ in 0..pings {
            let (streams, answered) = (this.activity.in_flight(), this.activity.answered());
            if !police.allows(Instant::now(), streams > 0, answered) {
                return Poll::Ready(Err(io::Error::other("client sends too many pings")));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Policed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

// === frames ===

/// Bytes of the text with which a client opens HTTP/2.
const PREFACE: usize = 24;

/// Bytes in front of each frame: length, type, flags, stream.
const HEADER: usize = 9;

const TYPE_PING: u8 = 6;
const FLAG_ACK: u8 = 1;

/// Walks from frame to frame without looking into them.
#[derive(Debug)]
struct Frames {
    /// Bytes until the next header.
    skip: usize,
    header: [u8; HEADER],
    have: usize,
    /// Whether the preface and the first frame's header were there.
    has_begun: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            skip: PREFACE,
            header: [0; HEADER],
            have: 0,
            has_begun: false,
        }
    }
}

impl Frames {
    /// How many pings begin in these bytes; acknowledgements of our own are none.
    fn pings(&mut self, mut bytes: &[u8]) -> u32 {
        let mut pings = 0;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if self.skip > 0 || bytes.is_empty() {
                break;
            }
            let taken = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER {
                let [high, middle, low, kind, flags, ..] = self.header;
                self.skip = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.have = 0;
                self.has_begun = true;
                pings += u32::from(kind == TYPE_PING && flags & FLAG_ACK == 0);
            }
        }
        pings
    }
}

// === police ===

#[derive(Debug)]
struct Police {
    policy: Policy,
    last: Option<Instant>,
    answered: u64,
    strikes: u32,
}

impl Police {
    fn new(policy: Policy) -> Self {
        Self {
            policy,
            last: None,
            answered: 0,
            strikes: 0,
        }
    }

    /// Whether one more ping at this moment is borne. An answer since the last one pardons all.
    fn allows(&mut self, now: Instant, busy: bool, answered: u64) -> bool {
        let last = self.last.replace(now);
        if std::mem::replace(&mut self.answered, answered) != answered {
            self.strikes = 0;
            return true;
        }
        let lawful = busy || self.policy.permit_without_stream;
        let least = if lawful { self.policy.min_time } else { SELDOM };
        if last.is_some_and(|last| now < last + least) {
            self.strikes += 1;
        }
        self.strikes <= STRIKES_MAX
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let [_, size @ ..] = u32::try_from(length).unwrap().to_be_bytes();
        let mut frame = [&size[..], &[kind, flags, 0, 0, 0, 1]].concat();
        frame.resize(HEADER + length, TYPE_PING);
        frame
    }

    #[test]
    fn pings_are_counted_however_the_bytes_are_cut() {
        let mut bytes = vec![b'P'; PREFACE];
        for (kind, flags, length) in [(4, 0, 6), (6, 0, 8), (0, 0, 300), (6, 1, 8), (6, 0, 8)] {
            bytes.extend(frame(kind, flags, length));
        }
        for size in [1, 2, 7, 9, 10, 64, bytes.len()] {
            let mut frames = Frames::default();
            let pings: u32 = bytes.chunks(size).map(|chunk| frames.pings(chunk)).sum();
            assert_eq!(pings, 2, "in chunks of {size}");
        }
    }

    #[test]
    fn http2_has_begun_with_its_first_frame() {
        let bytes = [vec![b'P'; PREFACE], frame(4, 0, 0)].concat();
        let mut frames = Frames::default();
        frames.pings(&bytes[..bytes.len() - 1]);
        assert!(!frames.has_begun);
        frames.pings(&bytes[bytes.len() - 1..]);
        assert!(frames.has_begun);
    }

    #[tokio::test]
    async fn a_client_that_has_begun_is_not_silent() {
        for policy in [
            None,
            Some(Policy {
                min_time: Duration::from_secs(60),
                permit_without_stream: false,
            }),
        ] {
            let (mut client, server) = tokio::io::duplex(1024);
            let activity = Arc::new(Activity::new());
            let mut server = Policed::new(server, policy, activity.clone());
            let mut buffer = [0; 64];
            client.write_all(&[b'P'; PREFACE]).await.unwrap();
            assert_eq!(server.read(&mut buffer).await.unwrap(), PREFACE);
            assert!(activity.is_silent());
            client.write_all(&frame(4, 0, 0)).await.unwrap();
            assert_eq!(server.read(&mut buffer).await.unwrap(), HEADER);
            assert!(!activity.is_silent());
        }
    }

    #[tokio::test]
    async fn the_third_early_ping_is_too_much() {
        let policy = Policy {
            min_time: Duration::from_secs(60),
            permit_without_stream: false,
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut police = Police::new(policy);
        assert!(police.allows(at(0), true, 0));
        assert!(police.allows(at(60), true, 0));
        assert!(police.allows(at(70), true, 0));
        assert!(police.allows(at(80), true, 0));
        assert!(!police.allows(at(90), true, 0));
        // An answer in between starts the count anew.
        assert!(police.allows(at(95), true, 1));
        assert!(police.allows(at(100), true, 1));
        // Without a call, even a minute is too early.
        let mut idle = Police::new(policy);
        let verdicts: Vec<_> = (0..4).map(|n| idle.allows(at(n * 61), false, 0)).collect();
        assert_eq!(verdicts, [true, true, true, false]);
    }
}
