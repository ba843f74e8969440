//! Refuses batches, so that their clients come back later, while too much memory is in use.
//!
//! Corten reserves memory before it reads a request, so what is in use is known at every moment:
//! there is nothing to check at intervals, and no garbage to collect.

use std::{sync::Arc, time::Duration};

use syntax::ByteSize;

use super::super::{ConsumerHandle, DebugMetrics, Output, output::Outputs};
use crate::{
    batch::{Batch, ConsumeFuture, Consumer, MemoryBudget, Refusal, RefusalKind},
    graph::{self, Site},
};

/// Unit in which the Collector counts memory; what is less is cut off.
const MEBIBYTE: u64 = 1 << 20;

/// Limits of memory in use.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// How often memory is looked at, in the Collector. Here it is looked at for each batch, and
    /// this is how long a refused client is told to wait, though at least a second.
    #[attr]
    check_interval: Duration,
    /// Memory that may be in use.
    #[attr(default = "0MiB")]
    limit: ByteSize,
    /// The same in per cent of the process's memory budget.
    #[attr(default = 0)]
    limit_percentage: u32,
    /// Without a meaning: there is no garbage collector. Accepted, because nothing then differs.
    #[attr(default = "30s")]
    max_gc_interval_when_hard_limited: Duration,
    /// Without a meaning: there is no garbage collector.
    #[attr(default = "30s")]
    max_gc_interval_when_soft_limited: Duration,
    /// Without a meaning: there is no garbage collector.
    #[attr(default = "0s")]
    min_gc_interval_when_hard_limited: Duration,
    /// Without a meaning: there is no garbage collector.
    #[attr(default = "10s")]
    min_gc_interval_when_soft_limited: Duration,
    /// Memory kept free of `limit`: batches are refused from `limit` less this on. A fifth of
    /// `limit` when zero.
    #[attr(default = "0MiB")]
    spike_limit: ByteSize,
    /// The same in per cent of the process's memory budget, for use with `limit_percentage`.
    #[attr(default = 0)]
    spike_limit_percentage: u32,
    /// Where the batches go.
    #[block]
    output: Output,
    /// Metrics of the component.
    #[block]
    debug_metrics: Option<DebugMetrics>,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let refuse = |field, reason: &str| Err((field, reason.to_owned()));
        if self.check_interval.is_zero() {
            return refuse("check_interval", "must be above zero");
        }
        let (limit, spike) = (self.limit.bytes(), self.spike_limit.bytes());
        if limit > 0 && self.limit_percentage > 0 {
            return refuse("limit_percentage", "must not be set beside limit");
        }
        if limit > 0 {
            if limit < MEBIBYTE {
                return refuse("limit", "must be at least 1MiB");
            }
            return if spike >= limit {
                refuse("spike_limit", "must be below limit")
            } else {
                self.check_intervals()
            };
        }
        if self.limit_percentage == 0 {
            return refuse("limit", "must be above zero, or limit_percentage must be");
        }
        if self.limit_percentage > 100 {
            return refuse("limit_percentage", "must be from 1 to 100");
        }
        if !(1..self.limit_percentage).contains(&self.spike_limit_percentage) {
            return refuse(
                "spike_limit_percentage",
                "must be above 0 and below limit_percentage",
            );
        }
        self.check_intervals()
    }

    /// The intervals of garbage collection, held to Alloy's rules so that a file that passes here
    /// passes there.
    fn check_intervals(&self) -> Result<(), (&'static str, String)> {
        for (floor, ceiling, name) in [
            (
                self.min_gc_interval_when_hard_limited,
                self.min_gc_interval_when_soft_limited,
                "min_gc_interval_when_soft_limited",
            ),
            (
                self.max_gc_interval_when_hard_limited,
                self.max_gc_interval_when_soft_limited,
                "max_gc_interval_when_soft_limited",
            ),
        ] {
            if ceiling < floor {
                let hard = name.replace("soft", "hard");
                return Err((name, format!("must not be below {hard}")));
            }
        }
        for (floor, ceiling, name) in [
            (
                self.min_gc_interval_when_hard_limited,
                self.max_gc_interval_when_hard_limited,
                "max_gc_interval_when_hard_limited",
            ),
            (
                self.min_gc_interval_when_soft_limited,
                self.max_gc_interval_when_soft_limited,
                "max_gc_interval_when_soft_limited",
            ),
        ] {
            if !ceiling.is_zero() && ceiling < floor {
                let min = name.replace("max", "min");
                return Err((name, format!("must not be below {min}")));
            }
        }
        Ok(())
    }

    /// Bytes in use from which on batches are refused.
    fn threshold(&self, budget: u64) -> u64 {
        let whole = |size: ByteSize| size.bytes() / MEBIBYTE * MEBIBYTE;
        if self.limit.bytes() > 0 {
            let limit = whole(self.limit);
            let spike = whole(self.spike_limit);
            return limit - if spike == 0 { limit / 5 } else { spike };
        }
        let percentage = self.limit_percentage - self.spike_limit_percentage;
        budget / 100 * u64::from(percentage)
    }
}

/// What can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {
    /// Takes batches.
    #[attr]
    input: ConsumerHandle,
}

/// Compares and hands on.
#[derive(Debug)]
pub struct Component {
    site: Site,
    arguments: Arguments,
    outputs: Outputs,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let outputs = arguments.output.outputs(&site);
        Ok(Self {
            site,
            arguments,
            outputs,
        })
    }

    fn exports(&self) -> Exports {
        Exports {
            input: ConsumerHandle(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.clone())
    }
}

impl Consumer for Component {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        let reservation = batch.context.reservation.as_ref();
        let own = reservation.map_or(0, |reservation| reservation.bytes());
        match admit(&self.arguments, self.site.services().memory(), own) {
            Ok(()) => self.outputs.consume(batch),
            Err(refusal) => Box::pin(async { Err(refusal) }),
        }
    }
}

/// Whether a batch that holds `own` bytes of what is in use may go on.
fn admit(arguments: &Arguments, memory: &MemoryBudget, own: u64) -> Result<(), Refusal> {
    let (used, threshold) = (memory.used(), arguments.threshold(memory.limit()));
    if used <= threshold {
        return Ok(());
    }
    if own > threshold {
        // Alone it is over the limit already: its client would come back for ever.
        let message = format!("memory limit: {own} bytes in one request, {threshold} allowed");
        return Err(Refusal {
            kind: RefusalKind::TooLarge,
            reason: "too_large",
            message: message.into(),
        });
    }
    let retry_after = arguments.check_interval.max(Refusal::RETRY_AFTER);
    let message = format!("memory limit: {used} bytes in use, {threshold} allowed");
    let kind = RefusalKind::Unavailable { retry_after };
    Err(Refusal {
        kind,
        reason: "memory",
        message: message.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(limit: u64, spike: u64, percentages: (u32, u32)) -> Arguments {
        Arguments {
            check_interval: Duration::from_secs(2),
            limit: ByteSize(limit),
            limit_percentage: percentages.0,
            max_gc_interval_when_hard_limited: Duration::from_secs(30),
            max_gc_interval_when_soft_limited: Duration::from_secs(30),
            min_gc_interval_when_hard_limited: Duration::ZERO,
            min_gc_interval_when_soft_limited: Duration::from_secs(10),
            spike_limit: ByteSize(spike),
            spike_limit_percentage: percentages.1,
            output: Output::default(),
            debug_metrics: None,
        }
    }

    #[test]
    fn limits_fit_together_or_are_refused() {
        let mib = MEBIBYTE;
        for (arguments, field) in [
            (arguments(10 * mib, 0, (0, 0)), ""),
            (arguments(10 * mib, 2 * mib, (0, 0)), ""),
            (arguments(0, 0, (80, 20)), ""),
            (arguments(0, 0, (0, 0)), "limit"),
            (arguments(mib - 1, 0, (0, 0)), "limit"),
            (arguments(10 * mib, 10 * mib, (0, 0)), "spike_limit"),
            (arguments(10 * mib, 0, (80, 20)), "limit_percentage"),
            (arguments(0, 0, (101, 20)), "limit_percentage"),
            (arguments(0, 0, (80, 0)), "spike_limit_percentage"),
            (arguments(0, 0, (80, 80)), "spike_limit_percentage"),
        ] {
            let refused = arguments.check().err().map_or("", |(field, _)| field);
            assert_eq!(refused, field, "{arguments:?}");
        }
        let never = Arguments {
            check_interval: Duration::ZERO,
            ..arguments(10 * mib, 0, (0, 0))
        };
        assert_eq!(never.check().unwrap_err().0, "check_interval");
        let below = Duration::from_secs(1);
        let soft = Arguments {
            max_gc_interval_when_soft_limited: below,
            ..arguments(10 * mib, 0, (0, 0))
        };
        assert_eq!(
            soft.check().unwrap_err().0,
            "max_gc_interval_when_soft_limited"
        );
    }

    #[test]
    fn thresholds_are_those_of_the_collector() {
        let mib = MEBIBYTE;
        assert_eq!(arguments(10 * mib, 0, (0, 0)).threshold(0), 8 * mib);
        assert_eq!(arguments(10 * mib, 4 * mib, (0, 0)).threshold(0), 6 * mib);
        assert_eq!(
            arguments(10 * mib + 5, 4 * mib + 7, (0, 0)).threshold(0),
            6 * mib
        );
        assert_eq!(arguments(0, 0, (80, 20)).threshold(1000), 600);
    }

    #[test]
    fn clients_come_back_when_memory_is_free_again() {
        let memory = MemoryBudget::new(1000);
        let arguments = arguments(0, 0, (80, 20));
        let mut held = memory.reserve(601).unwrap();
        let refusal = admit(&arguments, &memory, 600).unwrap_err();
        let retry_after = Duration::from_secs(2);
        assert_eq!(refusal.kind, RefusalKind::Unavailable { retry_after });
        held.shrink_to(600);
        assert_eq!(admit(&arguments, &memory, 600), Ok(()));
    }

    #[test]
    fn a_batch_that_never_fits_is_not_waited_for() {
        let memory = MemoryBudget::new(1000);
        let arguments = arguments(0, 0, (80, 20));
        let _held = memory.reserve(601).unwrap();
        let refusal = admit(&arguments, &memory, 601).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::TooLarge);
        assert!(!refusal.is_retryable());
    }
}
