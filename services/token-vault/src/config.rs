//! This service's section of the configuration. Units are in the names; unknown keys are errors.

use std::time::Duration;

/// How tokens are kept.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long a refresh's lease lasts without being renewed, in milliseconds. It is renewed three times as often
    /// while a token endpoint is slow; one that runs out belongs to a dead process.
    pub lease_ms: u64,
    /// Longest wait for another process's refresh before the caller is told to try again, in milliseconds.
    pub access_wait_ms: u64,
    /// How long an issuer's keys are used before they are fetched again, in seconds.
    pub jwks_ttl_seconds: u32,
    /// Between two fetches because of an unknown key, in seconds (OIDC-05: at least a minute).
    pub jwks_refetch_seconds: u32,
    /// A grant whose token nobody asked for within this time is revoked: its launch never got the answer, in seconds.
    pub unclaimed_grant_seconds: u32,
    /// How often overdue work is looked for (revocations at the EHR, keep-alive, dead leases), in milliseconds.
    pub sweep_interval_ms: u64,
    /// How long a revocation waits for the EHR before it goes on in the background, in milliseconds.
    pub revoke_wait_ms: u64,
    /// How often a revocation at the EHR is tried before it is given up and left to expire.
    pub revoke_attempts: u32,
    /// Longest pause after a token endpoint failed, in seconds.
    pub max_backoff_seconds: u32,
    /// Rows of ended grants are kept this long, in days.
    pub retention_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease_ms: 15_000,
            access_wait_ms: 25_000,
            jwks_ttl_seconds: 3_600,
            jwks_refetch_seconds: 60,
            unclaimed_grant_seconds: 15 * 60,
            sweep_interval_ms: 5_000,
            revoke_wait_ms: 3_000,
            revoke_attempts: 10,
            max_backoff_seconds: 60,
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
        if self.lease_ms < 300 {
            return Err("lease_ms must be at least 300, so that it can be renewed in time");
        }
        if self.access_wait_ms == 0 || self.sweep_interval_ms == 0 || self.revoke_wait_ms == 0 {
            return Err("access_wait_ms, sweep_interval_ms and revoke_wait_ms must be at least 1");
        }
        if self.unclaimed_grant_seconds < 60 {
            return Err(
                "unclaimed_grant_seconds must be at least 60: a person may be slow to open the chart",
            );
        }
        if self.revoke_attempts == 0 || self.max_backoff_seconds == 0 || self.retention_days == 0 {
            return Err("revoke_attempts, max_backoff_seconds and retention_days must be at least 1");
        }
        Ok(())
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(crate) fn lease_micros(&self) -> i64 {
        i64::try_from(self.lease_ms).unwrap_or(i64::MAX / 2_000).saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn a_key_out_of_range_is_named() {
        for (config, key) in [
            (Config { lease_ms: 10, ..Config::default() }, "lease_ms"),
            (Config { unclaimed_grant_seconds: 5, ..Config::default() }, "unclaimed_grant_seconds"),
            (Config { retention_days: 0, ..Config::default() }, "retention_days"),
            (Config { access_wait_ms: 0, ..Config::default() }, "access_wait_ms"),
        ] {
            assert!(config.validate().is_err_and(|reason| reason.contains(key)), "{key}");
        }
    }
}
