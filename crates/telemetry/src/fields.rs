//! The fields that may leave the process in a log line or a span. Everything else is dropped and counted.
//!
//! OpenTelemetry semantic conventions where they exist, ours otherwise. None of them ever holds a path, a query, a
//! name, a patient's or a resource's id, or a secret.

/// Tenant id.
pub const TENANT_ID: &str = "tenant.id";
/// Endpoint id.
pub const ENDPOINT_ID: &str = "endpoint.id";
/// Vendor profile id.
pub const VENDOR_ID: &str = "vendor.id";
/// Launch id (opens nothing without its cookie).
pub const LAUNCH_ID: &str = "launch.id";
/// Grant id.
pub const GRANT_ID: &str = "grant.id";
/// Registration id.
pub const REGISTRATION_ID: &str = "registration.id";
/// FHIR resource type.
pub const FHIR_RESOURCE_TYPE: &str = "fhir.resource_type";
/// FHIR interaction code.
pub const FHIR_INTERACTION: &str = "fhir.interaction";
/// Feature id.
pub const FEATURE: &str = "feature";
/// Purpose of use.
pub const PURPOSE: &str = "purpose";
/// Stable code.
pub const CODE: &str = "code";
/// The outside's request id.
pub const REQUEST_ID: &str = "request.id";

/// What may leave.
pub const ALLOWED: &[&str] = &[
    TENANT_ID,
    ENDPOINT_ID,
    VENDOR_ID,
    LAUNCH_ID,
    GRANT_ID,
    REGISTRATION_ID,
    FHIR_RESOURCE_TYPE,
    FHIR_INTERACTION,
    FEATURE,
    PURPOSE,
    CODE,
    REQUEST_ID,
    "vendor.request_id",
    "caller",
    "rpc.method",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "http.request.resend_count",
    "server.address",
    "server.port",
    "network.protocol.version",
    "messaging.destination.name",
    "messaging.batch.message_count",
    "db.operation.name",
    "db.collection.name",
    "outcome",
    "policy.decision",
    "section",
    "released",
    "withheld",
    "records",
    "count",
    "bytes",
    "attempt",
    "state",
    "reason",
    "cache.hit",
    "duration_ms",
    "duration_us",
    "wait_ms",
    "expires_in_seconds",
    "sequence",
    "segment",
    "address",
    "url.app",
    "version",
    "registry.hash",
    "service",
    "error.kind",
    "location",
    "error.message",
    "otel.status_code",
];

/// Whether a field may leave.
pub fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name)
}
