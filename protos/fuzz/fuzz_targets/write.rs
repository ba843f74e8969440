//! The check and the generated decoders agree about every write request, and what is kept of one is a
//! request that keeps every rule.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protos::Budget;
use protos::otlp::Message;
use protos::prometheus::messages::{v1, v2};
use protos::prometheus::{Translator, Version, accept, check_write};

fuzz_target!(|body: &[u8]| {
    let decodes = |version| match version {
        Version::V1 => v1::WriteRequest::decode(body).is_ok(),
        Version::V2 => v2::Request::decode(body).is_ok(),
    };
    for version in [Version::V1, Version::V2] {
        let is_good = check_write(version, body, &Budget::UNLIMITED).is_ok();
        assert_eq!(is_good, decodes(version), "{version:?}");
        let Ok(accepted) = accept(version, body, &Budget::UNLIMITED) else {
            continue;
        };
        let kept = accepted.body.unwrap_or_else(|| body.to_vec());
        let again = accept(Version::V1, &kept, &Budget::UNLIMITED).expect("what is kept is good");
        assert_eq!((again.written, again.rejected), (accepted.written, 0));
        let translated = Translator::new().translate(&kept);
        let back = accept(Version::V2, &translated, &Budget::UNLIMITED).expect("2.0 is good");
        assert_eq!(back.written.samples, accepted.written.samples);
    }
});
