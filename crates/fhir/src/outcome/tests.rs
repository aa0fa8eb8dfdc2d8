use super::*;

#[test]
fn our_outcome_carries_the_stable_code_and_the_reference() {
    let told = Told {
        code: Code::TypeDenied,
        what: Some("the type is denied"),
        needed: &[],
        request_id: "0192",
        ehr: None,
    };
    let text = String::from_utf8(write(&told)).unwrap();
    insta::assert_snapshot!(text, @r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"forbidden","details":{"coding":[{"system":"urn:sallyport:code","code":"fhir.type_denied"}],"text":"This resource type is not available here. Use one of the types in /metadata."},"diagnostics":"the type is denied; reference 0192"}]}"#);
}

#[test]
fn any_error_body_is_read_without_keeping_its_words() {
    let theirs = br#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"security","diagnostics":"Mary Miller"},{"code":"Mary Miller"}]}"#;
    for (status, body, code, shape) in [
        (401, &b"Unauthorized"[..], Code::UpstreamUnauthorized, Shape::Text),
        (403, theirs, Code::UpstreamForbidden, Shape::OperationOutcome),
        (502, b"<html><body>oops", Code::UpstreamError, Shape::Html),
        (500, b"", Code::UpstreamError, Shape::Empty),
        (500, b"{\"error\":1}", Code::UpstreamError, Shape::Json),
        (500, b"[", Code::UpstreamError, Shape::Json),
        (500, b"\xff\xfe", Code::UpstreamError, Shape::Text),
        (429, b"", Code::UpstreamBusy, Shape::Empty),
        (302, b"", Code::UpstreamRedirect, Shape::Empty),
        (410, b"", Code::UpstreamGone, Shape::Empty),
    ] {
        let problem = read(status, body);
        assert_eq!((problem.code, problem.shape), (code, shape), "{status}");
        assert!(!format!("{problem:?}").contains("Mary"));
    }
    assert_eq!(read(403, theirs).issues, ["security"]);
}

#[test]
fn what_the_ehr_said_is_told_by_codes_and_addresses() {
    let ehr = EhrSaid {
        system: Some("urn:oid:1.2".to_owned()),
        code: Some("59108".to_owned()),
        error_uri: Some("https://ehr.example/errors/1".to_owned()),
        reference: Some("abc-1".to_owned()),
    };
    let needed = [vec!["patient", "category"], vec!["_id"]];
    let told = Told {
        code: Code::ParameterMissing,
        what: None,
        needed: &needed,
        request_id: "0192",
        ehr: Some(&ehr),
    };
    let text = String::from_utf8(write(&told)).unwrap();
    for part in [
        r#"{"system":"urn:oid:1.2","code":"59108"}"#,
        r#"{"url":"urn:sallyport:ehr-reference","valueString":"abc-1"}"#,
        r#"{"url":"urn:sallyport:error-uri","valueUri":"https://ehr.example/errors/1"}"#,
        "one of these is needed: patient with category, _id; reference 0192",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn an_outcome_in_a_good_answer_tells_of_gaps() {
    let outcome = |severity: &str, code: &str| {
        format!(
            r#"{{"issue":[{{"severity":"{severity}","code":"{code}","details":{{"coding":[{{"code":"4119"}}]}}}}]}}"#
        )
    };
    assert_eq!(remarks(&outcome("warning", "informational")).codes, ["4119"]);
    assert!(!remarks(&outcome("warning", "informational")).is_gap);
    assert!(remarks(&outcome("error", "processing")).is_gap);
    assert!(remarks(&outcome("warning", "suppressed")).is_gap);
    assert!(remarks(r#"{"issue":7}"#).is_gap, "what cannot be read");
}
