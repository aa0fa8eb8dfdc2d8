use proptest::prelude::*;

use super::*;

fn pins() -> Pins {
    Pins::parse(["https://ehr.example.org/fhir/r4/"]).unwrap()
}

fn admits(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| pins().admits(&url))
}

#[test]
fn what_lies_under_the_registered_base_is_admitted() {
    for good in [
        "https://ehr.example.org/fhir/r4",
        "https://ehr.example.org/fhir/r4/",
        "https://ehr.example.org:443/fhir/r4/Patient/1",
        "https://EHR.example.org/fhir/r4/Patient?name=a/../b",
    ] {
        assert!(admits(good), "{good}");
    }
}

#[test]
fn look_alikes_of_the_registered_base_are_refused() {
    for bad in [
        "http://ehr.example.org/fhir/r4/Patient",
        "https://ehr.example.org:8443/fhir/r4/Patient",
        "https://ehr.example.org.evil.com/fhir/r4/Patient",
        "https://evil.com.ehr.example.org/fhir/r4/Patient",
        "https://ehr.example.org@evil.com/fhir/r4/Patient",
        "https://user@ehr.example.org/fhir/r4/Patient",
        "https://:secret@ehr.example.org/fhir/r4/Patient",
        "https://ehr.example.org./fhir/r4/Patient",
        "https://ehr.example.org/fhir/r4x/Patient",
        "https://ehr.example.org/FHIR/r4/Patient",
        "https://ehr.example.org/fhir/r4/../admin",
        "https://ehr.example.org/fhir/r4/%2e%2e/admin",
        "https://ehr.example.org/fhir/r4/%252e%252e/admin",
        "https://ehr.example.org/fhir/r4/..;/admin",
        "https://ehr.example.org/fhir/r4/..%2fadmin",
        "https://ehr.example.org/fhir/r4/a%5c..%5cadmin",
        "https://ehr.example.org/fhir/r4//admin",
        "https://ehr.example.org//fhir/r4/Patient",
        "https://ehr.example.org/fhir",
        "https://ehr.example.org/",
        "https://еhr.example.org/fhir/r4/Patient",
        "https://ehr.example.org/fhir/r4/Patient#x",
        "ftp://ehr.example.org/fhir/r4/Patient",
        "https://ehr.example.org\\.evil.com/fhir/r4",
        "https://127.0.0.1/fhir/r4/Patient",
    ] {
        assert!(!admits(bad), "{bad}");
    }
}

#[test]
fn no_pins_admit_nothing() {
    assert!(!Pins::default().admits(&Url::parse("https://ehr.example.org/").unwrap()));
}

#[test]
fn an_ambiguous_address_cannot_be_registered() {
    for bad in [
        "https://ehr.example.org./",
        "https://u@ehr.example.org/",
        "https://bücher.example/",
        "mailto:a@b",
        "x",
    ] {
        assert!(Pin::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_pin_prints_without_its_path() {
    let pin = Pin::parse("https://ehr.example.org/secret-sandbox-id/fhir").unwrap();
    assert_eq!(format!("{pin:?}"), "Pin(https://ehr.example.org:443)");
}

proptest! {
    #[test]
    fn whatever_is_admitted_has_the_pinned_origin_and_prefix(
        scheme in "(https|http|HTTPS)",
        user in "(|[a-z]{1,3}@|[a-z]{1,3}:[a-z]{1,3}@)",
        host in "(ehr\\.example\\.org|EHR\\.example\\.ORG|ehr\\.example\\.org\\.|ehr\\.example\\.org\\.[a-z]{2,5}|[a-z]{1,4}\\.ehr\\.example\\.org|ehr-example\\.org|[а-я]{1,3}\\.org)",
        port in "(|:443|:444|:80)",
        path in "(/fhir|/fhir/r4|/fhir/r4x|/Fhir/r4|)(/([a-zA-Z0-9.;%_-]{0,6}|%2e%2e|%252e|\\.\\.|\\.\\.;a))*",
        query in "(|\\?[a-z=/.]{0,8}|#[a-z]{1,3})",
    ) {
        let text = format!("{scheme}://{user}{host}{port}{path}{query}");
        if let Ok(url) = Url::parse(&text) && pins().admits(&url) {
            prop_assert_eq!(url.origin().ascii_serialization(), "https://ehr.example.org");
            prop_assert!(user.is_empty() && url.fragment().is_none());
            let path = url.path();
            prop_assert!(path == "/fhir/r4" || path.starts_with("/fhir/r4/"), "{}", path);
            prop_assert!(!path.contains("..") || path.split('/').all(|s| !s.trim_matches('.').is_empty()), "{}", path);
        }
    }

    #[test]
    fn no_text_panics_as_pin_or_url(text in ".{0,80}") {
        let _ = Pin::parse(&text);
        if let Ok(url) = Url::parse(&text) {
            let _ = pins().admits(&url);
        }
    }
}
