//! Free ports of the loopback interface.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use rand::Rng;

use crate::Error;

/// Where to look: below the range from which Linux takes the ports of outgoing connections.
/// Within it, whoever keeps connecting to a backend that is down may get the backend's own port as
/// its source, and be connected to itself.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// How many ports are tried before there seems to be none.
const ATTEMPTS: usize = 200;

/// `count` loopback addresses that nobody listened on a moment ago.
pub fn free(count: usize) -> Result<Vec<SocketAddr>, Error> {
    let mut held = Vec::new();
    for _ in 0..ATTEMPTS {
        if held.len() == count {
            break;
        }
        let port = rand::rng().random_range(RANGE);
        // Held until all are found, so that none is found twice.
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    }
    if held.len() < count {
        return Err(Error::new(format!(
            "found no {count} free ports in {RANGE:?} on 127.0.0.1"
        )));
    }
    held.iter()
        .map(|socket| socket.local_addr().map_err(|e| Error::new(e.to_string())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_free() {
        let ports = free(8).unwrap();
        let distinct: std::collections::HashSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), 8);
        assert!(ports.iter().all(|port| RANGE.contains(&port.port())));
    }
}
