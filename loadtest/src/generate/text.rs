//! Text with the entropy of real telemetry: words from a small stock, with numbers, addresses and
//! identifiers between them. Gzip makes three to five times less of it, as of real logs; the test
//! beside the generator holds it there.

use rand::{Rng, rngs::StdRng};

/// Names of services.
pub(super) const SERVICES: [&str; 12] = [
    "checkout", "cart", "catalog", "payment", "shipping", "search", "frontend", "auth", "ledger",
    "email", "pricing", "stock",
];

/// Paths of an HTTP interface.
pub(super) const ROUTES: [&str; 8] = [
    "/api/v1/orders/{id}",
    "/api/v1/carts/{id}/items",
    "/api/v1/products",
    "/api/v1/products/{id}",
    "/api/v1/payments",
    "/api/v1/users/{id}/sessions",
    "/healthz",
    "/api/v2/search",
];

const WORDS: [&str; 72] = [
    "request",
    "completed",
    "failed",
    "retrying",
    "connection",
    "timeout",
    "after",
    "upstream",
    "order",
    "payment",
    "accepted",
    "declined",
    "user",
    "session",
    "expired",
    "cache",
    "miss",
    "hit",
    "evicted",
    "partition",
    "leader",
    "elected",
    "offset",
    "committed",
    "batch",
    "flushed",
    "queue",
    "depth",
    "above",
    "threshold",
    "query",
    "slow",
    "took",
    "rows",
    "returned",
    "index",
    "scan",
    "lock",
    "acquired",
    "released",
    "waiting",
    "worker",
    "started",
    "stopped",
    "handler",
    "panic",
    "recovered",
    "invalid",
    "argument",
    "missing",
    "field",
    "token",
    "refresh",
    "denied",
    "rate",
    "limited",
    "client",
    "closed",
    "stream",
    "reset",
    "backend",
    "healthy",
    "unhealthy",
    "probe",
    "deployment",
    "rolled",
    "config",
    "reloaded",
    "feature",
    "enabled",
    "while",
    "with",
];

/// `length` lower-case hex digits.
pub(super) fn hex(rng: &mut StdRng, length: usize) -> String {
    (0..length)
        .map(|_| char::from_digit(rng.random_range(0..16), 16).unwrap_or('0'))
        .collect()
}

/// ASCII text of exactly `length` bytes.
pub(super) fn sentence(rng: &mut StdRng, length: usize) -> String {
    let mut text = String::with_capacity(length + 32);
    while text.len() < length {
        match rng.random_range(0..16) {
            0 => text.push_str(&format!("id={} ", hex(rng, 12))),
            1 => text.push_str(&format!("duration_ms={} ", rng.random_range(1..20_000))),
            2 => text.push_str(&format!(
                "peer=10.{}.{}.{}:{} ",
                rng.random_range(0..4),
                rng.random_range(0..256),
                rng.random_range(0..256),
                rng.random_range(30_000..60_000)
            )),
            3 => {
                text.push_str(ROUTES[rng.random_range(0..ROUTES.len())]);
                text.push(' ');
            }
            _ => {
                text.push_str(WORDS[rng.random_range(0..WORDS.len())]);
                text.push(' ');
            }
        }
    }
    text.truncate(length);
    text
}
