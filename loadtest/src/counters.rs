//! Sets of counters that many tasks add to and anybody reads at one moment.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Declares a struct of counters and its public snapshot, each field once.
macro_rules! counters {
    (
        $(#[doc = $struct_doc:literal])+
        $snapshot:ident of $counters:ident { $($(#[doc = $doc:literal])+ $name:ident,)+ }
    ) => {
        $(#[doc = $struct_doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $snapshot {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        #[derive(Default)]
        pub(crate) struct $counters {
            $(pub(crate) $name: $crate::counters::Counter,)+
        }

        impl $counters {
            pub(crate) fn snapshot(&self) -> $snapshot {
                $snapshot { $($name: self.$name.get(),)+ }
            }
        }

        impl std::ops::AddAssign for $snapshot {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)+
            }
        }
    };
}

pub(crate) use counters;
