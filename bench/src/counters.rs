//! The gateway's own counters, read from its metrics before and after a load: what a warm read may not do.

use std::{net::SocketAddr, time::Duration};

use anyhow::ensure;
use serde::Serialize;

use crate::{
    load::{get, once},
    targets::LAUNCHES,
};

/// The gateway's default `session_cache_ms`.
const SESSION_SECONDS: f64 = 5.0;

/// For so long it uses a token without asking the vault whether its grant was narrowed.
const TOKEN_SECONDS: f64 = 60.0;

/// Permits that it takes from the store at a time, and how often a second those of the bench's two windows end unused.
const LEASE: f64 = 10.0;
const LEASES_END: f64 = 20.0;

/// What one gateway counted.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Counters {
    /// FHIR calls answered with data.
    pub(crate) calls: f64,
    /// Audit records made durable, intents and outcomes.
    pub(crate) records: f64,
    /// `fdatasync` calls on the spool.
    pub(crate) syncs: f64,
    /// Questions to launch-auth.
    pub(crate) sessions: f64,
    /// Questions to token-vault.
    pub(crate) tokens: f64,
    /// Questions to the store.
    pub(crate) store: f64,
    /// Records that the queue has not accepted yet.
    pub(crate) depth: f64,
}

impl Counters {
    /// Reads them.
    ///
    /// # Errors
    /// When the admin port does not answer.
    pub(crate) async fn read(metrics: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self::of(&once(metrics, &get(metrics, "/metrics", &[])).await?))
    }

    fn of(text: &str) -> Self {
        let mut counters = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let value: f64 = value.parse().unwrap_or(0.0);
            if name.starts_with("sallyport_fhir_calls_total{") && name.contains("outcome=\"success\"") {
                counters.calls += value;
            } else if name.starts_with("sallyport_gateway_hops_total{") {
                match name {
                    name if name.contains("to=\"launch-auth\"") => counters.sessions += value,
                    name if name.contains("to=\"token-vault\"") => counters.tokens += value,
                    name if name.contains("to=\"kv\"") => counters.store += value,
                    _ => {}
                }
            } else if !name.contains("service=\"fhir-gateway\"") {
                // Another service's spool in the same process.
            } else if name.starts_with("sallyport_audit_spool_records_total{") {
                counters.records += value;
            } else if name.starts_with("sallyport_audit_spool_fdatasync_seconds_count{") {
                counters.syncs += value;
            } else if name.starts_with("sallyport_audit_spool_depth{") {
                counters.depth += value;
            }
        }
        counters
    }

    /// What was added since `before`; the depth as it is.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            records: self.records - before.records,
            syncs: self.syncs - before.syncs,
            sessions: self.sessions - before.sessions,
            tokens: self.tokens - before.tokens,
            store: self.store - before.store,
            depth: self.depth,
        }
    }

    /// Checks that `requests` warm reads over `took` did what they must and nothing more; with `windows` of the EHR the
    /// permits for them come from the store.
    ///
    /// # Errors
    /// Which count is wrong.
    #[expect(clippy::cast_precision_loss, reason = "counts of a bounded run")]
    pub(crate) fn check(&self, requests: usize, took: Duration, windows: u32) -> anyhow::Result<()> {
        let requests = requests as f64;
        ensure!(self.calls == requests, "{} calls for {requests} requests", self.calls);
        ensure!(self.records == 2.0 * requests, "{} durable records for {requests} requests", self.records);
        ensure!(self.syncs >= requests / 1_024.0, "{} fdatasync for {requests} requests", self.syncs);
        // A session is kept for five seconds and then asked for anew, a token for a minute, news of the endpoint for a
        // second: that is all a warm read may ever ask anybody else.
        let seconds = took.as_secs_f64().ceil();
        let asked = |what: &str, asked: f64, most: f64| {
            ensure!(asked <= most, "{asked} questions for {what} for {requests} warm reads in {seconds} s");
            Ok(())
        };
        let windows = f64::from(windows);
        asked("sessions", self.sessions, (seconds / SESSION_SECONDS).floor() * LAUNCHES as f64)?;
        // They may have been had long before this turn.
        asked("tokens", self.tokens, (seconds / TOKEN_SECONDS).ceil() * LAUNCHES as f64)?;
        asked("news and permits", self.store, seconds + windows * (requests / LEASE + LEASES_END * seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_gateways_own_is_read() {
        let text = "# HELP x\n\
            sallyport_fhir_calls_total{endpoint=\"main\",outcome=\"success\"} 7\n\
            sallyport_fhir_calls_total{endpoint=\"main\",outcome=\"refused\"} 1\n\
            sallyport_gateway_hops_total{to=\"ehr\"} 7\n\
            sallyport_gateway_hops_total{to=\"kv\"} 2\n\
            sallyport_audit_spool_records_total{phase=\"INTENT\",service=\"fhir-gateway\"} 7\n\
            sallyport_audit_spool_records_total{phase=\"OUTCOME\",service=\"fhir-gateway\"} 7\n\
            sallyport_audit_spool_records_total{phase=\"EVENT\",service=\"audit\"} 9\n\
            sallyport_audit_spool_fdatasync_seconds_count{service=\"fhir-gateway\"} 3\n";
        let read = Counters::of(text);
        assert_eq!((read.calls, read.records, read.syncs, read.store), (7.0, 14.0, 3.0, 2.0));
        let second = Duration::from_millis(900);
        assert!(read.check(7, second, 0).is_err(), "two questions within a second");
        assert!(read.check(7, second, 1).is_ok(), "but for permits");
        let one = Counters { store: 1.0, ..read };
        assert!(one.check(7, second, 0).is_ok());
        for wrong in [
            Counters { syncs: 0.0, ..one },
            Counters { records: 15.0, ..one },
            Counters { sessions: 1.0, ..one },
            Counters { tokens: 1_001.0, ..one },
        ] {
            assert!(wrong.check(7, second, 0).is_err(), "{wrong:?}");
        }
    }
}
