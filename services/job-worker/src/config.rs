//! This service's section of the configuration. Units are in the names; unknown keys are errors.

use std::{path::PathBuf, time::Duration};

/// How batches are worked on.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many batches this worker has in hand at a time.
    pub slots: u32,
    /// How long a lease of a batch lasts without being renewed, in milliseconds. It is renewed three times as often; one that
    /// runs out belongs to a worker that is dead or stands still.
    pub lease_ms: u64,
    /// How often the outbox is looked at, in milliseconds.
    pub relay_interval_ms: u64,
    /// A published batch that nobody took within this time was lost by the queue and is published again, in milliseconds.
    pub lost_after_ms: u64,
    /// While batches of other tenants wait, one is put back after so long, in milliseconds, and goes on in its turn.
    pub slice_ms: u64,
    /// First pause before something that failed is tried again, in milliseconds; it doubles up to five minutes.
    pub retry_ms: u64,
    /// How long work that was told to stop may take to notice before it is ended, in milliseconds.
    pub stop_grace_ms: u64,
    /// Where the files of exports are kept, sealed. Workers on several machines share it; one that has not what was committed
    /// elsewhere fetches the file again.
    pub exports_folder: PathBuf,
    /// A frame of an export's file holds at most so many bytes of the plain file: what a worker that is killed reads again.
    /// Exports that differ in it have different content hashes.
    pub export_frame_bytes: usize,
    /// A scheduled start that was missed by more than this is left out, in seconds.
    pub catch_up_seconds: u32,
    /// Runs that are over are kept this long, with the items of their batches, in days. Results have their job's `keep_days`.
    pub retention_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slots: 4,
            lease_ms: 30_000,
            relay_interval_ms: 100,
            lost_after_ms: 15_000,
            slice_ms: 1_000,
            retry_ms: 2_000,
            stop_grace_ms: 2_000,
            exports_folder: PathBuf::from("exports"),
            export_frame_bytes: 8 * 1024 * 1024,
            catch_up_seconds: 3_600,
            retention_days: 30,
        }
    }
}

impl Config {
    /// Checks what one key cannot say alone.
    ///
    /// # Errors
    /// A sentence for an operator, naming the key.
    pub fn validate(&self) -> Result<(), &'static str> {
        if !(1..=256).contains(&self.slots) {
            return Err("slots must be between 1 and 256");
        }
        if !(500..=600_000).contains(&self.lease_ms) {
            return Err("lease_ms must be between 500 and 600000");
        }
        if !(10..=5_000).contains(&self.relay_interval_ms) {
            return Err("relay_interval_ms must be between 10 and 5000");
        }
        if self.lost_after_ms < 1_000 || self.lost_after_ms < 2 * self.relay_interval_ms {
            return Err("lost_after_ms must be at least 1000 and twice relay_interval_ms");
        }
        if self.slice_ms == 0 || self.retry_ms == 0 {
            return Err("slice_ms and retry_ms must be more than 0");
        }
        if !(1..=12 * 1024 * 1024).contains(&self.export_frame_bytes) {
            return Err("export_frame_bytes must be between 1 and 12582912");
        }
        if self.stop_grace_ms > 4_000 {
            return Err("stop_grace_ms must be at most 4000: a kill is effective within five seconds");
        }
        Ok(())
    }

    /// The lease's length in microseconds.
    pub(crate) fn lease_micros(&self) -> i64 {
        i64::try_from(self.lease_ms).unwrap_or(i64::MAX / 2_000) * 1_000
    }

    /// The lease's length.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// The pause before another try, in microseconds.
    pub(crate) fn backoff_micros(&self, attempt: i64) -> i64 {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
        let pause =
            i64::try_from(self.retry_ms).unwrap_or(i64::MAX / 2_000).saturating_mul(1_i64 << doublings);
        pause.min(300_000) * 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_five_minutes() {
        let config = Config::default();
        let pauses: Vec<i64> = (1..=9).map(|n| config.backoff_micros(n) / 1_000_000).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
    }

    #[test]
    fn a_kill_cannot_be_configured_to_take_longer_than_it_may() {
        let slow = Config { stop_grace_ms: 10_000, ..Config::default() };
        assert!(slow.validate().is_err());
        assert_eq!(Config::default().validate(), Ok(()));
    }
}
