//! Sets the level and the format of Corten's own logs.

use crate::{
    graph::{self, Site},
    telemetry::{Format, Level, LogSettings},
};

/// The `logging` block.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The least severe lines that are written.
    #[attr(default = "info")]
    level: Level,
    /// How a line is written.
    #[attr(default = "logfmt")]
    format: Format,
    /// Where the lines go; `stderr` is the only place there is.
    #[attr(default = "stderr")]
    destination: Destination,
}

#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq)]
enum Destination {
    #[keyword("stderr")]
    StandardError,
}

/// Nothing can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {}

/// The settings, applied when it runs.
#[derive(Debug)]
pub struct Component {
    settings: LogSettings,
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Self::Arguments, site: Site) -> Result<Self, String> {
        let Arguments {
            level,
            format,
            destination: Destination::StandardError,
        } = arguments;
        Ok(Self {
            settings: LogSettings { level, format },
            site,
        })
    }

    fn exports(&self) -> Self::Exports {
        Exports {}
    }

    async fn run(
        self: std::sync::Arc<Self>,
        stop: tokio_util::sync::CancellationToken,
    ) -> Result<(), String> {
        let logs = self.site.services().logs();
        logs.apply(self.settings);
        stop.cancelled().await;
        logs.apply(LogSettings::default());
        Ok(())
    }
}
