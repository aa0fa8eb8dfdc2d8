//! The gateway's metrics in one place: names, units, labels. No label ever holds an id of a patient, a path or a token.

use sallyport_model::Micros;
use sallyport_proto::audit::v1::{Outcome, Record};
use sallyport_telemetry::metrics::{Counter, Gauge, Histogram, Metrics};

use crate::domain::capability::classify::{Class, Finding};

/// What the gateway counts.
pub(crate) struct GatewayMetrics {
    calls: Counter,
    errors: Counter,
    withheld: Counter,
    seconds: Histogram,
    hops: Counter,
    open: Gauge,
    probed_at: Gauge,
    findings: Gauge,
    unread: Gauge,
    writes: Counter,
    in_doubt: Gauge,
}

impl GatewayMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let call = ["tenant", "endpoint", "resource_type", "interaction", "outcome"];
        Self {
            calls: metrics.counter(
                "sallyport_fhir_calls_total",
                "FHIR calls by how they ended; equals the audit log's count.",
                &call,
            ),
            errors: metrics.counter(
                "sallyport_fhir_errors_total",
                "FHIR calls that released nothing, by stable code.",
                &["tenant", "endpoint", "resource_type", "code"],
            ),
            withheld: metrics.counter(
                "sallyport_fhir_withheld_total",
                "Resources an EHR sent that were not released.",
                &["tenant", "endpoint", "resource_type"],
            ),
            seconds: metrics.histogram(
                "sallyport_fhir_call_seconds",
                "Duration of FHIR calls from admission to release.",
                &["tenant", "endpoint", "interaction"],
            ),
            hops: metrics.counter(
                "sallyport_gateway_hops_total",
                "Calls to other processes, by whom.",
                &["to"],
            ),
            open: metrics.gauge(
                "sallyport_gateway_circuit_open",
                "1 while calls to an endpoint are paused.",
                &["tenant", "endpoint"],
            ),
            writes: metrics.counter(
                "sallyport_gateway_writes_total",
                "Turns with a write by the state that the ledger was left in.",
                &["endpoint", "operation", "state"],
            ),
            in_doubt: metrics.gauge(
                "sallyport_gateway_writes_in_doubt",
                "Writes of which it is not known whether the EHR has them.",
                &[],
            ),
            probed_at: metrics.gauge(
                "sallyport_capability_probed_at_seconds",
                "When an endpoint was last looked at, in seconds since the epoch.",
                &["tenant", "endpoint"],
            ),
            findings: metrics.gauge(
                "sallyport_capability_findings",
                "What the last look at an endpoint found, by what it means for features.",
                &["tenant", "endpoint", "class"],
            ),
            unread: metrics.gauge(
                "sallyport_capability_unread",
                "1 when the last look at an endpoint could not read all that it says of itself.",
                &["tenant", "endpoint"],
            ),
        }
    }

    /// Shows what a look at an endpoint found.
    pub(crate) fn probed(
        &self,
        tenant: &str,
        endpoint: &str,
        at: Micros,
        findings: &[Finding],
        is_whole: bool,
    ) {
        self.probed_at.set(&[tenant, endpoint], at / 1_000_000);
        self.unread.set(&[tenant, endpoint], i64::from(!is_whole));
        for class in Class::ALL {
            let found = findings.iter().filter(|finding| finding.class == class).count();
            self.findings.set(&[tenant, endpoint, class.as_str()], i64::try_from(found).unwrap_or(i64::MAX));
        }
    }

    /// Counts a turn with a write.
    pub(crate) fn write(&self, endpoint: &str, operation: &str, state: &str) {
        self.writes.inc(&[endpoint, operation, state]);
    }

    /// Shows how many writes are in doubt.
    pub(crate) fn writes_in_doubt(&self, count: i64) {
        self.in_doubt.set(&[], count);
    }

    /// Counts what one outcome or event record says.
    pub(crate) fn call(&self, record: &Record) {
        let resource_type = record.resource_types.first().map_or("", String::as_str);
        let (tenant, endpoint) = (record.tenant.as_str(), record.endpoint.as_str());
        let outcome = match record.outcome() {
            Outcome::Success => "success",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Pending | Outcome::Unspecified => "",
        };
        self.calls.inc(&[tenant, endpoint, resource_type, &record.interaction, outcome]);
        if !record.code.is_empty() {
            self.errors.inc(&[tenant, endpoint, resource_type, &record.code]);
        }
        if let Ok(withheld @ 1..) = u64::try_from(record.withheld) {
            self.withheld.add(&[tenant, endpoint, resource_type], withheld);
        }
        self.seconds.observe(&[tenant, endpoint, &record.interaction], seconds(record.duration_us));
    }

    /// Counts a call to another process: `launch-auth`, `token-vault`, `kv` or `ehr`.
    pub(crate) fn hop(&self, to: &str) {
        self.hops.inc(&[to]);
    }

    /// Shows whether calls to an endpoint are paused.
    pub(crate) fn circuit(&self, tenant: &str, endpoint: &str, is_open: bool) {
        self.open.set(&[tenant, endpoint], i64::from(is_open));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration in microseconds is far below 2^52")]
fn seconds(micros: Micros) -> f64 {
    micros as f64 / 1_000_000.0
}
