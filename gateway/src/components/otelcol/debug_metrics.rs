//! The `debug_metrics` block of most components.

/// Which metrics about itself a component gives.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct DebugMetrics {
    /// Whether labels that can take very many values are left out. Corten's own metrics have no
    /// such labels, so `false` is refused.
    #[attr(default = true)]
    pub disable_high_cardinality_metrics: bool,
    /// How much detail is asked for. Corten's own metrics are few and always all there: every
    /// level gets at least what it asks for, so none stops a file that comes from Alloy.
    #[attr(default = Level::Detailed)]
    pub level: Level,
}

/// A level of detail.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// No metrics.
    #[keyword("none")]
    None,
    /// The most important ones.
    #[keyword("basic")]
    Basic,
    /// More of them.
    #[keyword("normal")]
    Normal,
    /// All of them.
    #[keyword("detailed")]
    Detailed,
}

impl DebugMetrics {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.disable_high_cardinality_metrics {
            let reason = "must be true: there are no metrics with addresses or ports of single \
                          connections; remove the argument";
            return Err(("disable_high_cardinality_metrics", reason.to_owned()));
        }
        Ok(())
    }
}
