//! From the bytes of a request to an accepted batch: memory, decompression, the check, the pipeline.

use std::sync::Arc;

use bytes::Bytes;
use protos::{Budget, Signal, json};

use super::identity::Sender;
use crate::{
    batch::{
        Batch, Codec, CodecError, Context, Exhausted, Frame, MemoryBudget, Otlp, Payload, Refusal,
        RefusalKind, Reservation, Tenant,
    },
    components::otelcol::output::Outputs,
    delivery::{Accepted, Intake},
    net::body,
};

/// How much longer protobuf can be than the JSON that it came from: `0,` becomes eight bytes.
const JSON_GROWTH: u64 = 4;

/// What both servers do with a body.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) intake: Intake,
    pub(super) outputs: Outputs,
    pub(super) memory: MemoryBudget,
}

/// A request whose body was read.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) signal: Signal,
    pub(super) sender: Sender,
    pub(super) codec: Codec,
    pub(super) body: Bytes,
    /// Whether it is OTLP/JSON.
    pub(super) is_json: bool,
    /// Largest size after decompression, in bytes.
    pub(super) plain_max: u64,
    /// The memory that reading it took.
    pub(super) share: Share,
}

impl Admission {
    /// A share of the memory budget for a new request.
    pub(super) fn share(&self) -> Share {
        Share {
            memory: self.memory.clone(),
            reservation: None,
        }
    }

    /// Refuses a request of a signal that nothing consumes, and says why: what is acknowledged
    /// would vanish. In the Collector such a signal has no service, so clients hear the same here.
    pub(super) fn refuse_unrouted(&self, signal: Signal) -> Option<String> {
        self.outputs.of(signal).is_empty().then(|| {
            let nobody = Tenant::default();
            self.intake.refused(signal, &nobody, "no_consumer", 1);
            format!(
                "{signal} are not taken here: the receiver's output has no consumer of {signal}"
            )
        })
    }

    /// Takes a request through the pipeline, and returns when it is durable.
    pub(super) async fn admit(&self, arrival: Arrival) -> Result<Accepted, Refusal> {
        let (signal, tenant) = (arrival.signal, arrival.sender.tenant.clone());
        let batch = arrival
            .into_batch()
            .map_err(|refusal| self.refuse(signal, &tenant, refusal))?;
        match batch {
            Some(batch) => self.intake.submit(self.outputs.of(signal), batch).await,
            None => Ok(Accepted::default()),
        }
    }

    /// Counts a request that was refused before there was a batch. How many items are in it is not
    /// known, as it was not decoded, so it counts as one: at least one item was lost or delayed.
    pub(super) fn refuse(&self, signal: Signal, tenant: &Tenant, refusal: Refusal) -> Refusal {
        self.intake.refused(signal, tenant, refusal.reason, 1);
        refusal
    }
}

impl Arrival {
    /// Makes a checked batch, or none of a request without items.
    fn into_batch(self) -> Result<Option<Batch>, Refusal> {
        let Self {
            signal,
            sender,
            codec,
            body,
            is_json,
            plain_max,
            mut share,
        } = self;
        let codec = codec.recognise(&body);
        let inflated = codec
            .inflate(&body, plain_max, &mut |bytes| share.take(bytes))
            .map_err(|error| share.undo(&error))?;
        let mut plain = inflated.bytes;
        if is_json {
            share
                .take(plain.len() as u64 * JSON_GROWTH)
                .map_err(|exhausted| share.no_memory(exhausted))?;
            plain = json::to_protobuf(signal, &plain, &Budget::default())
                .map_err(|error| Refusal::invalid("malformed", error.to_string()))?
                .into();
            if plain.len() as u64 > plain_max {
                return Err(share.undo(&CodecError::TooLarge { limit: plain_max }));
            }
        }
        let counts = protos::check(signal, &plain, &Budget::default())
            .map_err(|error| Refusal::invalid("malformed", error.to_string()))?;
        if counts.items == 0 {
            return Ok(None);
        }
        let plain_length = plain.len() as u64;
        // Only the body as it came is stored, unless a reader could take a part for the whole.
        let as_it_came = codec != Codec::Identity && !is_json && inflated.members == 1;
        let otlp = if as_it_came {
            let frame = Frame {
                codec,
                bytes: body,
                plain_length,
            };
            Otlp::new(signal, counts.items, frame, Some(plain))
        } else {
            Otlp::plain(signal, counts.items, plain)
        };
        let compressed = if as_it_came {
            otlp.frame().bytes.len() as u64
        } else {
            0
        };
        let context = Context {
            tenant: sender.tenant,
            metadata: sender.metadata,
            merging: None,
            reservation: share.settle(plain_length + compressed),
            own: false,
        };
        Ok(Some(Batch {
            context,
            payload: Payload::Otlp(otlp),
        }))
    }
}

/// Memory that a request holds, taken bit by bit.
#[derive(Debug)]
pub(super) struct Share {
    memory: MemoryBudget,
    reservation: Option<Reservation>,
}

impl Share {
    /// Takes more. If there is not enough, the error speaks of all that the request wants, with
    /// what it holds already.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Exhausted> {
        match &mut self.reservation {
            Some(reservation) => {
                let held = reservation.bytes();
                reservation.grow(bytes).map_err(|exhausted| Exhausted {
                    wanted: exhausted.wanted.saturating_add(held),
                    free: exhausted.free.saturating_add(held),
                })
            }
            None => {
                self.reservation = Some(self.memory.reserve(bytes)?);
                Ok(())
            }
        }
    }

    /// Gives back what turned out not to be needed.
    fn settle(self, bytes: u64) -> Option<Arc<Reservation>> {
        self.reservation.map(|mut reservation| {
            reservation.shrink_to(bytes);
            Arc::new(reservation)
        })
    }

    /// What a client hears when there is no memory for its request: to come back later, unless it
    /// wants more than there will ever be.
    fn no_memory(&self, exhausted: Exhausted) -> Refusal {
        let (wanted, limit) = (exhausted.wanted, self.memory.limit());
        if wanted > limit {
            return too_large(format!(
                "request needs {wanted} bytes of memory and the whole budget is {limit}: send \
                 smaller requests, or raise --memory.budget"
            ));
        }
        Refusal::unavailable("memory", exhausted.to_string())
    }

    /// What a client hears when its body cannot be read.
    pub(super) fn unread(&self, error: body::Error) -> Refusal {
        match error {
            body::Error::TooLarge { .. } => too_large(error.to_string()),
            body::Error::Exhausted(exhausted) => self.no_memory(exhausted),
            // A slow network passes; the data must not be given up for it.
            body::Error::Slow => Refusal::unavailable("slow", error.to_string()),
            body::Error::Broken => Refusal::unavailable("broken", error.to_string()),
        }
    }

    /// What a client hears when its body cannot be decompressed.
    fn undo(&self, error: &CodecError) -> Refusal {
        match error {
            CodecError::TooLarge { .. } => too_large(error.to_string()),
            CodecError::Corrupt { .. } => Refusal::invalid("malformed", error.to_string()),
            CodecError::Exhausted(exhausted) => self.no_memory(*exhausted),
        }
    }
}

fn too_large(message: String) -> Refusal {
    Refusal {
        kind: RefusalKind::TooLarge,
        reason: "too_large",
        message: message.into(),
    }
}
