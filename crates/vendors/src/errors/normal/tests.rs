use std::sync::Arc;

use sallyport_model::VendorId;

use super::*;
use crate::{Profile, profile};

fn of(id: &str) -> Arc<Profile> {
    Arc::clone(profile(&VendorId::parse(id).unwrap()).unwrap())
}

fn normal(
    id: &str,
    status: u16,
    headers: &[(&str, &'static str)],
    body: &str,
    searched: Option<ResourceType>,
) -> Normal {
    let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
    of(id).errors.normal(Answer { status, body: body.as_bytes(), searched, header: &header })
}

/// An OperationOutcome with one coding and one diagnostics text.
fn outcome(issue: &str, system: &str, code: &str, diagnostics: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"fatal","code":"{issue}","diagnostics":"{diagnostics}",
            "details":{{"coding":[{{"system":"{system}","code":"{code}","display":"x"}}],"text":"y"}}}}]}}"#
    )
}

const EPIC: &str = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369";

use ResourceType as T;

#[test]
fn each_product_means_what_its_sign_says() {
    let observation = Some(T::Observation);
    let insufficient = [("www-authenticate", "Bearer error=\"insufficient_scope\"")];
    let epic = |code| outcome("processing", EPIC, code, "");
    let athena = outcome("forbidden", "", "", "Required parameter combinations [[patient,intent],[_id]]");
    let denied = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","diagnostics":"Read access to 'X' is denied by user"}]}"#;
    let ecw = outcome(
        "processing",
        "",
        "",
        "Does not know how to handle GET operation[Observation] with parameters [patient]",
    );
    for (id, status, headers, body, searched, cause) in [
        ("epic", 403, &insufficient[..], "", observation, Cause::Scope),
        ("epic", 401, &[], "\"\"", None, Cause::Token),
        ("epic", 403, &[], epic("4118").as_str(), None, Cause::Permission),
        ("epic", 400, &[], epic("59108").as_str(), observation, Cause::ParameterMissing),
        ("epic", 400, &[], epic("4113").as_str(), observation, Cause::PageExpired),
        ("epic", 404, &[], epic("59008").as_str(), None, Cause::NotFound),
        ("epic", 404, &[], "<!DOCTYPE html><html><body>404", None, Cause::NotOffered),
        (
            "oracle",
            403,
            &[],
            outcome("forbidden", "", "", "Tenant not valid or accessible").as_str(),
            None,
            Cause::Tenant,
        ),
        ("oracle", 409, &[], "", None, Cause::Stale),
        ("oracle", 422, &[], outcome("too-costly", "", "", "").as_str(), Some(T::Patient), Cause::TooBroad),
        ("oracle", 500, &[], outcome("required", "", "", "").as_str(), None, Cause::Other),
        ("athena-one", 403, &[], athena.as_str(), Some(T::MedicationRequest), Cause::ParameterMissing),
        (
            "athena-one",
            403,
            &[],
            outcome("forbidden", "", "", "Invalid Token Scope").as_str(),
            None,
            Cause::Scope,
        ),
        (
            "nextgen",
            404,
            &[],
            outcome("not-found", "", "", "").as_str(),
            Some(T::CarePlan),
            Cause::ParameterMissing,
        ),
        ("nextgen", 403, &[], denied, None, Cause::Permission),
        (
            "nextgen",
            400,
            &[],
            outcome("exception", "", "", "Error retreiving data from EHR").as_str(),
            None,
            Cause::NotFound,
        ),
        ("eclinicalworks", 400, &[], ecw.as_str(), observation, Cause::ParameterMissing),
        (
            "athena-flow",
            429,
            &[],
            outcome("throttled", "", "", "User Rate Limit Exceeded, Try in another 844 seconds").as_str(),
            None,
            Cause::Throttled,
        ),
        ("meditech", 401, &[], r#"{"resource":"Patient","detail":"token"}"#, None, Cause::Token),
        ("hapi", 410, &[], "", observation, Cause::PageExpired),
        ("generic", 404, &[], "", observation, Cause::NotOffered),
        ("generic", 404, &[], "", None, Cause::NotFound),
        ("generic", 302, &[], "", None, Cause::Redirect),
        ("generic", 500, &[], "<html>", None, Cause::Failing),
        ("generic", 418, &[], "\u{0}", None, Cause::Other),
    ] {
        assert_eq!(normal(id, status, headers, body, searched).cause, cause, "{id} {status} {body}");
    }
}

#[test]
fn codes_addresses_and_correlation_are_kept_and_words_are_not() {
    let headers = [("opc-request-id", "abc/def"), ("x-request-id", "r-1.2_3")];
    let body = r#"{"error":"invalid_client","error_uri":"https://ehr.example/errors/7?client=Mary#x","error_description":"Mary Miller"}"#;
    let normal_ = normal("oracle", 400, &headers, body, None);
    assert_eq!(normal_.vendor_code.as_deref(), Some("invalid_client"));
    assert_eq!(normal_.error_uri.as_deref(), Some("https://ehr.example/errors/7"));
    assert_eq!(normal_.correlation_id.as_deref(), Some("r-1.2_3"));
    assert!(!format!("{normal_:?}").to_lowercase().contains("mary"));
    let both = format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"code":"invalid","diagnostics":"Mary","details":{{"coding":[
            {{"system":"other","code":"1"}},{{"system":"{EPIC}","code":"4100"}},{{"code":"Mary Miller"}}]}}}}]}}"#
    );
    let told = normal("epic", 400, &[], &both, Some(T::Patient));
    assert_eq!(
        (told.vendor_code.as_deref(), told.issues.as_slice()),
        (Some("4100"), &["invalid".to_owned()][..])
    );
    assert!(!format!("{told:?}").to_lowercase().contains("mary"));
}

#[test]
fn an_address_that_is_none_and_an_id_that_is_none_are_not_kept() {
    for uri in
        ["http://ehr.example/e", "javascript:alert(1)", "https://a b", "https://u@ehr.example/", "/errors/7"]
    {
        let body = format!(r#"{{"error":"x","error_uri":"{uri}"}}"#);
        assert_eq!(normal("generic", 400, &[], &body, None).error_uri, None, "{uri}");
    }
    for id in ["", "a b", "<script>"] {
        assert_eq!(of("generic").errors.correlation_id(|_| Some(id)), None, "{id}");
    }
    assert_eq!(of("generic").errors.correlation_id(|_| None), None);
}

#[test]
fn no_body_of_any_shape_breaks_it() {
    let deep = format!("{{\"issue\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let many = format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{}]}}"#,
        vec![r#"{"code":"x"}"#; 10_000].join(",")
    );
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"",
        "{\"issue\":{}}",
        "{\"issue\":[{\"code\":1}]}",
        "{\"a\":1,\"a\":2}",
        &deep,
        &many,
    ] {
        for profile in crate::all() {
            let normal = profile.errors.normal(Answer {
                status: 500,
                body: body.as_bytes(),
                searched: None,
                header: &|_| None,
            });
            assert!(normal.issues.len() <= 16);
        }
    }
    let bytes = of("generic").errors.normal(Answer {
        status: 400,
        body: b"\xff\xfe",
        searched: None,
        header: &|_| None,
    });
    assert_eq!(bytes.cause, Cause::Other);
}
