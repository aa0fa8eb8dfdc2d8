//! This service's section of the configuration. Units are in the names.

use serde::Deserialize;

/// What the gateway can be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The one origin that browsers use, e.g. `http://localhost:8080`. Links in answers are written under it, and a
    /// browser's `Origin` must equal it.
    pub public_url: String,
    /// Longest wait for one answer of an EHR.
    pub call_timeout_ms: u64,
    /// Longest wait for one section of the chart; what has not come by then is reported as missing.
    pub section_deadline_ms: u64,
    /// How long a resolved session is believed before launch-auth is asked again. Revocations act at once in any case.
    pub session_cache_ms: u64,
    /// Largest answer taken from an EHR, unpacked.
    pub max_answer_bytes: usize,
    /// Most entries of one searchset.
    pub max_entries: usize,
    /// Largest form of a POST `_search`.
    pub max_form_bytes: usize,
    /// How long a page link stays valid.
    pub page_link_seconds: u64,
    /// Most pages of one search that can be followed.
    pub max_pages: u32,
    /// Calls to one endpoint at a time; more wait briefly and are then refused.
    pub concurrent_calls_per_endpoint: usize,
    /// Calls under one launch at a time, so that one page cannot use up its endpoint.
    pub concurrent_calls_per_launch: usize,
    /// How often people's activity is reported; at most 30.
    pub activity_flush_seconds: u64,
    /// How long an EHR's CapabilityStatement is kept.
    pub metadata_cache_seconds: u64,
    /// Longest line of an export's file; a longer one is withheld alone.
    pub max_bulk_line_bytes: usize,
    /// References remembered for one launch; the oldest go first.
    pub seen_references_per_launch: usize,
    /// Look at every endpoint once a night: its discovery document, its CapabilityStatement, its keys; three calls without a
    /// token. What changed becomes a finding.
    pub probe_nightly: bool,
    /// The hour of it, in UTC.
    pub probe_hour_utc: u32,
    /// Of so many answers one is looked at for its shape (elements, code systems, extensions; never values), so that a change
    /// is found. 0: none.
    pub sample_one_in: u64,
    /// Largest resource that is written to an EHR.
    pub max_write_bytes: usize,
    /// How long one try to write may take before another process looks what became of it; above call_timeout_ms.
    pub write_lease_ms: u64,
    /// How often the ledger is searched for writes that must be looked for, and for what became of interrupted approvals.
    pub write_look_interval_ms: u64,
    /// How long after its last try a write that cannot be found counts as not made, at an EHR that does not keep
    /// conditional creates.
    pub write_settle_seconds: u32,
    /// How long the ledger keeps writes that are settled. What is not settled is kept until it is.
    pub write_retention_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: "http://localhost:8080".to_owned(),
            call_timeout_ms: 20_000,
            section_deadline_ms: 2_000,
            session_cache_ms: 5_000,
            max_answer_bytes: 16 * 1024 * 1024,
            max_entries: 5_000,
            max_form_bytes: 64 * 1024,
            page_link_seconds: 900,
            max_pages: 200,
            concurrent_calls_per_endpoint: 64,
            concurrent_calls_per_launch: 16,
            activity_flush_seconds: 20,
            metadata_cache_seconds: 600,
            max_bulk_line_bytes: 8 * 1024 * 1024,
            seen_references_per_launch: 20_000,
            probe_nightly: true,
            probe_hour_utc: 8,
            sample_one_in: 0,
            max_write_bytes: 1024 * 1024,
            write_lease_ms: 30_000,
            write_look_interval_ms: 2_000,
            write_settle_seconds: 120,
            write_retention_days: 90,
        }
    }
}

impl Config {
    /// [`Config::write_lease_ms`] in microseconds.
    pub(crate) fn write_lease_micros(&self) -> i64 {
        i64::try_from(self.write_lease_ms).unwrap_or(i64::MAX / 2_000).saturating_mul(1_000)
    }

    /// [`Config::write_settle_seconds`] in microseconds.
    pub(crate) fn write_settle_micros(&self) -> i64 {
        i64::from(self.write_settle_seconds).saturating_mul(1_000_000)
    }

    /// Checks what the types cannot say. Names the key.
    ///
    /// # Errors
    /// The key and what it must be.
    pub fn validate(&self) -> Result<(), &'static str> {
        let url = url::Url::parse(&self.public_url).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
        let is_origin = url.is_some_and(|u| u.origin().ascii_serialization() == self.public_url);
        if !is_origin {
            return Err(
                "public_url must be an origin such as https://app.example.org, without a path or a slash at its end",
            );
        }
        if !(1..=30).contains(&self.activity_flush_seconds) {
            return Err("activity_flush_seconds must be 1 to 30");
        }
        if self.probe_hour_utc > 23 {
            return Err("probe_hour_utc must be 0 to 23");
        }
        if self.session_cache_ms > 10_000 {
            return Err("session_cache_ms must be at most 10000");
        }
        if self.call_timeout_ms == 0
            || self.section_deadline_ms == 0
            || self.section_deadline_ms > self.call_timeout_ms
        {
            return Err("section_deadline_ms must be above 0 and at most call_timeout_ms");
        }
        if self.write_lease_ms <= self.call_timeout_ms {
            return Err(
                "write_lease_ms must be above call_timeout_ms: two processes must not write the same at once",
            );
        }
        if self.write_look_interval_ms == 0 {
            return Err("write_look_interval_ms must be above 0");
        }
        if self.write_retention_days == 0 {
            return Err(
                "write_retention_days must be at least 1: a repeated approval is recognised by the ledger",
            );
        }
        let counts = [
            self.concurrent_calls_per_endpoint,
            self.concurrent_calls_per_launch,
            self.max_entries,
            self.max_answer_bytes,
            self.max_form_bytes,
            self.max_bulk_line_bytes,
            self.max_write_bytes,
            self.seen_references_per_launch,
        ];
        if counts.contains(&0) {
            return Err("caps must be above 0: zero would refuse every call");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_an_origin_has_no_path() {
        assert_eq!(Config::default().validate(), Ok(()));
        for bad in ["http://localhost:8080/", "https://a/b", "localhost", "ftp://a", ""] {
            let config = Config { public_url: bad.to_owned(), ..Config::default() };
            assert!(config.validate().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cap_of_zero_and_a_slow_flush_are_refused() {
        assert!(Config { max_entries: 0, ..Config::default() }.validate().is_err());
        assert!(Config { activity_flush_seconds: 31, ..Config::default() }.validate().is_err());
    }
}
