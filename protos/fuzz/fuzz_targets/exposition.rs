//! Any bytes in any pieces: no panic, and the same entries as in one piece.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protos::prometheus::LabelSet;
use protos::prometheus::exposition::{Entry, Format, Options, Parser};

/// What is read: each entry's raw bytes and labels, and the error.
fn read(format: Format, body: &[u8], chunk: usize) -> (Vec<String>, Option<String>) {
    let options = Options {
        line_bytes: 4096,
        ..Options::default()
    };
    let mut parser = Parser::new(format, options);
    let mut entries = Vec::new();
    let mut set = LabelSet::new();
    let mut last = Vec::new();
    for piece in body.chunks(chunk).map(Some).chain([None]) {
        match piece {
            Some(piece) => parser.feed(piece),
            None => parser.finish(),
        }
        loop {
            let expected = std::mem::take(&mut last);
            match parser.next_expecting(&expected) {
                Err(error) => return (entries, Some(format!("{:?}", error.problem()))),
                Ok(None) => break,
                Ok(Some(entry)) => {
                    if let Entry::Sample(sample) = &entry {
                        last = sample.series.raw().to_vec();
                        let _ = sample.series.labels(&mut set);
                    }
                    entries.push(format!("{entry:?} {set:?}"));
                }
            }
        }
    }
    (entries, None)
}

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (chunk, body) = input;
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        let whole = read(format, &body, usize::MAX);
        let pieces = read(format, &body, usize::from(chunk) + 1);
        assert_eq!(whole, pieces, "{format:?}");
    }
});
