use proptest::prelude::*;
use sallyport_model::Code;

use super::*;
use crate::target::Target;

fn get(path: &str, query: &str) -> Result<Interaction, Rejection> {
    let query = (!query.is_empty()).then_some(query);
    Interaction::parse(&RawRequest { method: Method::Get, path, query, form: None }, 64)
}

fn post(path: &str, query: Option<&str>, form: &[u8]) -> Result<Interaction, Rejection> {
    Interaction::parse(&RawRequest { method: Method::Post, path, query, form: Some(form) }, 64)
}

fn code(result: Result<Interaction, Rejection>) -> Code {
    result.unwrap_err().code
}

#[test]
fn the_interactions_on_the_list_parse() {
    assert!(matches!(
        get("/Patient/a-1", ""),
        Ok(Interaction::Read { resource_type: ResourceType::Patient, .. })
    ));
    assert!(matches!(get("/Patient/a-1", "_format=json"), Ok(Interaction::Read { .. })));
    assert!(matches!(get("/Observation/o.1/_history/2", ""), Ok(Interaction::VRead { .. })));
    assert!(matches!(get("/metadata", ""), Ok(Interaction::Capabilities)));
    assert!(matches!(get("/_page/abc-_123", ""), Ok(Interaction::Page { .. })));
    let Ok(Interaction::Search(search)) =
        get("/Condition", "patient=a-1&clinical-status=active%2Crecurrence&_count=9999")
    else {
        panic!("a search");
    };
    let pairs: Vec<_> = search.params.iter().map(|p| (p.name, p.value.as_str())).collect();
    assert_eq!(pairs, [("patient", "a-1"), ("clinical-status", "active,recurrence"), ("_count", "500")]);
}

#[test]
fn path_tricks_are_refused_before_anything_is_decided() {
    let long = format!("/Patient/{}", "a".repeat(130));
    for path in [
        "/Patient/..",
        "/Patient/.",
        "/../Patient/a",
        "/Patient/%2e%2e",
        "/Patient/a%2Fb",
        "/Patient//a",
        "//Patient/a",
        "/Patient/",
        "/",
        "",
        "Patient/a",
        "/Patient/a;b",
        "/Patient;x=1/a",
        "/Patient/a\\b",
        "/Patient/é",
        "/Patient/a b",
        "/Patient/%c0%ae",
        "/Patient/a%00",
        &long,
    ] {
        assert_eq!(code(get(path, "")), Code::PathInvalid, "{path}");
    }
}

#[test]
fn an_id_may_be_as_long_as_the_vendor_says() {
    let path = format!("/Patient/{}", "e".repeat(130));
    let request = RawRequest { method: Method::Get, path: &path, query: None, form: None };
    assert!(Interaction::parse(&request, 130).is_ok());
    assert_eq!(code(Interaction::parse(&request, 129)), Code::PathInvalid);
}

#[test]
fn interactions_that_are_not_listed_are_refused() {
    for path in [
        "/Patient/a/$everything",
        "/$export",
        "/_history",
        "/Patient/a/_history",
        "/Patient/a/Observation",
        "/Patient/_history",
        "/Patient/$match",
        "/Patient/_search",
    ] {
        assert_eq!(code(get(path, "")), Code::InteractionDenied, "{path}");
    }
    assert_eq!(code(post("/", None, b"")), Code::PathInvalid);
    assert_eq!(code(post("/Patient", None, b"{}")), Code::InteractionDenied);
    assert_eq!(code(post("/Patient/a", None, b"{}")), Code::InteractionDenied);
    let other = RawRequest { method: Method::Other, path: "/Patient/a", query: None, form: None };
    assert_eq!(code(Interaction::parse(&other, 64)), Code::MethodNotAllowed);
}

#[test]
fn types_outside_the_table_are_refused() {
    for path in ["/Group/a", "/Bundle/a", "/Subscription/a", "/Nonsense/a", "/patient/a", "/Person"] {
        assert_eq!(code(get(path, "")), Code::TypeDenied, "{path}");
    }
}

#[test]
fn parameters_that_reach_beyond_the_patient_are_refused() {
    for query in [
        "_include=Condition:subject",
        "_include:iterate=Condition:subject",
        "_revinclude=Provenance:target",
        "_has:Observation:patient:code=1",
        "subject.name=x",
        "subject:Patient.name=x",
        "patient:Patient=a",
        "patient:missing=true",
        "patient:identifier=x",
        "_filter=x",
        "_query=x",
        "_list=x",
        "_contained=true",
        "_text=x",
        "_content=x",
        "code:in=x",
        "code:below=x",
        "code:not:not=x",
        "code:=x",
        "nonsense=x",
        "_count:exact=1",
        "%5Finclude=x",
    ] {
        assert_eq!(code(get("/Condition", query)), Code::ParameterDenied, "{query}");
    }
    assert_eq!(code(get("/Patient/a", "_include=x")), Code::ParameterDenied);
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    for query in [
        "patient=",
        "patient",
        "patient=a&patient=b",
        "_id=a&_id=b",
        "_count=x",
        "_count=1&_count=2",
        "_sort=nonsense",
        "_elements=a.b",
        "_summary=maybe",
        "code=%zz",
        "code=%ff",
        "code=a%00",
        "code=a,,b",
        "onset-date=yesterday",
        "code:missing=perhaps",
    ] {
        assert_eq!(code(get("/Condition", query)), Code::ParameterInvalid, "{query}");
    }
    assert_eq!(code(get("/Condition", "_format=xml")), Code::MediaTypeUnsupported);
}

#[test]
fn url_and_body_of_a_post_search_count_together() {
    let Ok(Interaction::Search(search)) =
        post("/Condition/_search", Some("code=x"), b"patient=a&onset-date=ge2020")
    else {
        panic!("a search");
    };
    assert_eq!(search.params.len(), 3);
    assert_eq!(code(post("/Condition/_search", Some("patient=a"), b"patient=b")), Code::ParameterInvalid);
    assert_eq!(code(post("/Condition/_search", None, b"_include=x")), Code::ParameterDenied);
    assert_eq!(code(post("/Condition/_search", None, b"code=\xff")), Code::ParameterInvalid);
}

#[test]
fn elements_always_keep_what_says_whose_it_is() {
    let Ok(Interaction::Search(search)) = get("/Condition", "_elements=code") else { panic!("a search") };
    assert_eq!(search.params[0].value, "code,subject,patient");
}

#[test]
fn debug_shows_no_values() {
    let search = get("/Condition", "patient=pat-77").unwrap();
    let read = get("/Patient/pat-77", "").unwrap();
    assert!(!format!("{search:?}{read:?}").contains("pat-77"));
}

proptest! {
    #[test]
    fn no_request_panics(path in ".{0,60}", query in ".{0,80}", form in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = get(&path, &query);
        let _ = post(&path, Some(&query), &form);
    }

    #[test]
    fn path_like_text_does_not_panic(path in "/(Patient|Condition|_page|metadata)?[/A-Za-z0-9.%;_$-]{0,30}") {
        let _ = get(&path, "");
    }

    #[test]
    fn what_is_forwarded_reads_the_same_again(
        code_value in "[^\\p{Cc},]{1,30}",
        text in "[^\\p{Cc},]{1,30}",
        not in any::<bool>(),
        by_post in any::<bool>(),
    ) {
        let modifier = not.then_some(Modifier::Not);
        let params = vec![
            Param { name: "patient", modifier: None, value: "a-1".to_owned() },
            Param { name: "code", modifier, value: code_value },
            Param { name: "title", modifier: Some(Modifier::Exact), value: text },
        ];
        let search = Interaction::Search(Search { resource_type: ResourceType::List, params, by_post });
        let target = Target::of(&search).unwrap();
        let path = format!("/{}", target.path);
        let again = if by_post { post(&path, None, target.form.unwrap().as_bytes()) } else { get(&path, &target.query) };
        prop_assert_eq!(again, Ok(search));
    }

    #[test]
    fn what_parses_is_forwarded_and_parses_equal(
        path in "/(Patient|Observation)/[A-Za-z0-9.-]{1,64}(/_history/[A-Za-z0-9.-]{1,10})?",
    ) {
        if let Ok(first) = get(&path, "") {
            let target = Target::of(&first).unwrap();
            prop_assert_eq!(get(&format!("/{}", target.path), ""), Ok(first));
            prop_assert!(target.url("https://e.example/fhir/").starts_with("https://e.example/fhir/"));
        }
    }
}
