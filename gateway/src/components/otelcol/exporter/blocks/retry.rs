//! The `retry_on_failure` block.

use std::time::Duration;

use crate::delivery::Retry;

/// What happens to a request that the backend did not take.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct RetryOnFailure {
    /// Whether a failed request is tried again. Without that, one failure drops it.
    #[attr(default = true)]
    pub enabled: bool,
    /// The pause before the second attempt.
    #[attr(default = "5s")]
    pub initial_interval: Duration,
    /// By how much of itself a pause may be shorter or longer, so that nodes do not retry in step.
    #[attr(default = 0.5)]
    pub randomization_factor: f64,
    /// By how much each pause is longer than the one before.
    #[attr(default = 1.5)]
    pub multiplier: f64,
    /// The longest pause.
    #[attr(default = "30s")]
    pub max_interval: Duration,
    /// After how long a request is given up and counted as dropped; `"0s"` is never. In Alloy the
    /// default is `"5m"`: here, what was acknowledged is kept until the backend has it.
    #[attr(default = "0s")]
    pub max_elapsed_time: Duration,
}

impl RetryOnFailure {
    /// What delivery is to do.
    pub fn settings(&self) -> Retry {
        Retry {
            enabled: self.enabled,
            initial: self.initial_interval,
            max: self.max_interval,
            multiplier: self.multiplier,
            randomization: self.randomization_factor,
            max_elapsed: Some(self.max_elapsed_time).filter(|time| !time.is_zero()),
        }
    }

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.multiplier.is_nan() || self.multiplier <= 1.0 {
            return Err(("multiplier", "must be greater than 1.0"));
        }
        if !(0.0..=1.0).contains(&self.randomization_factor) {
            return Err(("randomization_factor", "must be between 0 and 1"));
        }
        Ok(())
    }
}
