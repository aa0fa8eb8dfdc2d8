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
    "otel.status_code",
];

/// Longer texts are cut: no field of ours is longer, a body is.
const MAX_VALUE_BYTES: usize = 1024;

/// Whether a field may leave.
pub fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name)
}

/// What of a field's text may leave: nothing when the field is not on the list, or does not look like itself.
///
/// `code` and `state` are words of OAuth too; an authorization code or a state that is logged under its own name does
/// not look like a stable code (`launch.issuer_unknown`) or a state of ours (`half_open`).
pub(crate) fn admit<'v>(name: &str, value: &'v str) -> Option<&'v str> {
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let fits = match name {
        CODE => {
            value.split_once('.').is_some_and(|(area, what)| is_word(area) && what.split('.').all(is_word))
        }
        "state" => value.len() <= 32 && is_word(value),
        _ => is_allowed(name),
    };
    let cut = value.floor_char_boundary(MAX_VALUE_BYTES);
    if fits { value.get(..cut) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_the_list_may_leave() {
        assert_eq!(admit(TENANT_ID, "general"), Some("general"));
        assert_eq!(admit("patient.id", "1"), None);
        assert_eq!(admit("url.full", "https://ehr.example/Patient/1"), None);
    }

    #[test]
    fn an_authorization_code_and_a_state_do_not_pass_for_ours() {
        assert_eq!(admit(CODE, "launch.issuer_unknown"), Some("launch.issuer_unknown"));
        assert_eq!(admit("state", "half_open"), Some("half_open"));
        for oauth in ["SplxlOBeZQQYbYS6WxSbIA", "abcdef", "4711", "a.b1", "eyJh.eyJz.c2ln", ".", "a.", ""] {
            assert_eq!(admit(CODE, oauth), None, "{oauth}");
        }
        assert_eq!(admit("state", "af0ifjsldkj"), None);
        assert_eq!(admit("state", &"a".repeat(43)), None);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "é".repeat(MAX_VALUE_BYTES);
        assert_eq!(admit("reason", &long).map(str::len), Some(MAX_VALUE_BYTES));
    }

    #[test]
    fn the_list_names_nothing_twice() {
        let mut names = ALLOWED.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALLOWED.len());
    }
}
