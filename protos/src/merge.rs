//! Many requests, one request.
//!
//! A request's only field is repeated, and protobuf reads two encodings that follow each other as one
//! message with both in it. So merging is copying, of any number of requests of one signal that were
//! each valid alone.

use bytes::{Bytes, BytesMut};

/// One request with everything in `bodies`, in their order. A single body is not copied.
pub fn merge<'a>(bodies: impl IntoIterator<Item = &'a Bytes>) -> Bytes {
    let bodies: Vec<&Bytes> = bodies.into_iter().filter(|body| !body.is_empty()).collect();
    match bodies.as_slice() {
        [] => Bytes::new(),
        [body] => Bytes::clone(body),
        bodies => {
            let mut merged = BytesMut::with_capacity(bodies.iter().map(|body| body.len()).sum());
            for body in bodies {
                merged.extend_from_slice(body);
            }
            merged.freeze()
        }
    }
}
