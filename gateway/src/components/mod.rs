//! The components: one file each, and a file's path is its component's name.

pub mod alloy;
pub mod blocks;
pub mod discovery;
pub mod http;
pub mod import;
pub mod livedebugging;
pub mod local;
pub mod logging;
pub mod loki;
pub mod otelcol;
mod own;
pub mod prometheus;
pub mod tracing;
mod watch;

use crate::{
    batch::{Batch, Payload},
    graph::{self, Definition, Stability, Vocabulary},
};

/// What a configuration may consist of.
pub static VOCABULARY: Vocabulary = Vocabulary {
    definitions: TABLE,
    alloy: alloy::BLOCKS,
};

/// Every component there is, by name.
pub static TABLE: &[Definition] = &[
    component::<discovery::dns::Component>("discovery.dns"),
    component::<discovery::file::Component>("discovery.file"),
    component::<discovery::http::Component>("discovery.http"),
    component::<discovery::relabel::Component>("discovery.relabel"),
    block::<http::Component>("http"),
    import::<import::file::Component>("import.file"),
    import::<import::git::Component>("import.git"),
    import::<import::http::Component>("import.http"),
    import::<import::string::Component>("import.string"),
    block::<livedebugging::Component>("livedebugging"),
    component::<local::file::Component>("local.file"),
    block::<logging::Component>("logging"),
    component::<loki::echo::Component>("loki.echo"),
    component::<otelcol::auth::basic::Component>("otelcol.auth.basic"),
    component::<otelcol::auth::bearer::Component>("otelcol.auth.bearer"),
    component::<otelcol::auth::headers::Component>("otelcol.auth.headers"),
    component::<otelcol::exporter::debug::Component>("otelcol.exporter.debug"),
    component::<otelcol::exporter::otlp::Component>("otelcol.exporter.otlp"),
    component::<otelcol::exporter::otlphttp::Component>("otelcol.exporter.otlphttp"),
    component::<otelcol::processor::batch::Component>("otelcol.processor.batch"),
    component::<otelcol::processor::memory_limiter::Component>("otelcol.processor.memory_limiter"),
    component::<otelcol::receiver::loki::Component>("otelcol.receiver.loki"),
    component::<otelcol::receiver::otlp::Component>("otelcol.receiver.otlp"),
    component::<otelcol::storage::file::Component>("otelcol.storage.file"),
    component::<prometheus::echo::Component>("prometheus.echo"),
    component::<prometheus::scrape::Component>("prometheus.scrape"),
    block::<tracing::Component>("tracing"),
];

/// A batch in words, for people who watch what flows.
pub fn describe(batch: &Batch) -> String {
    match &batch.payload {
        Payload::Otlp(otlp) => otelcol::exporter::debug::describe(otlp),
        Payload::Prometheus(series) => prometheus::describe(series),
        Payload::Loki(loki) => loki::describe(loki),
    }
}

const fn component<C: graph::Component>(name: &'static str) -> Definition {
    Definition::component::<C>(name, Stability::GenerallyAvailable)
}

const fn block<C: graph::Component>(name: &'static str) -> Definition {
    Definition::block::<C>(name, Stability::GenerallyAvailable)
}

const fn import<C: graph::Import>(name: &'static str) -> Definition {
    Definition::import::<C>(name, Stability::GenerallyAvailable)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Files that hold what several components share, and are none themselves.
    const SHARED: &[&str] = &["mod"];

    #[test]
    fn the_table_is_sorted_and_has_a_row_for_each_file() {
        let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let mut files = Vec::new();
        walk(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/components")),
            "",
            &mut files,
        );
        for file in files {
            assert!(names.contains(&file.as_str()), "{file} has no row");
        }
        for row in TABLE {
            (row.arguments)();
            (row.exports)();
        }
    }

    /// A file is a component if it defines one.
    fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                walk(&path, &format!("{prefix}{stem}."), files);
            } else if !SHARED.contains(&stem.as_str())
                && fs::read_to_string(&path)
                    .unwrap()
                    .contains("impl graph::Component for")
            {
                files.push(format!("{prefix}{stem}"));
            }
        }
    }
}
