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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_follow_each_other() {
        let [one, two] = [
            Bytes::from_static(b"\x0a\x00"),
            Bytes::from_static(b"\x0a\x02\x1a\x00"),
        ];
        assert_eq!(
            merge([&one, &Bytes::new(), &two]),
            &b"\x0a\x00\x0a\x02\x1a\x00"[..]
        );
        assert_eq!(merge([]), Bytes::new());
    }

    #[test]
    fn one_body_is_not_copied() {
        let body = Bytes::from(vec![0x0a, 0]);
        assert_eq!(merge([&Bytes::new(), &body]).as_ptr(), body.as_ptr());
    }
}
