//! Input that no server should send: each has a defined outcome, in every version of FHIR.

use sallyport_clinical::{
    ChartSection, Context, FhirVersion, Input, MAX_OBJECTS, MAX_RESOURCES, Mapping, ProblemKind, Section,
    SectionState, normalise,
};
use sallyport_model::PatientId;

use crate::{BASE, READ_AT, items, read_as};

/// The entries and the problems of one Condition with those members.
fn condition(version: FhirVersion, members: &str) -> (usize, Vec<ProblemKind>) {
    let json = format!(r#"{{"resourceType":"Condition","id":"c",{members}}}"#);
    let section = read_as(version, Section::Problems, &[&json]);
    let kinds = section.problems.iter().map(|p| p.kind).collect();
    (items!(section, Problems).len(), kinds)
}

const READ: (usize, Vec<ProblemKind>) = (1, Vec::new());

fn refused() -> (usize, Vec<ProblemKind>) {
    (0, vec![ProblemKind::Unreadable])
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn json_a_hundred_thousand_deep_is_skipped_where_nothing_is_read_and_refused_where_something_is() {
    let lists = nested("[", "]", 100_000);
    // As many objects are too many parts, wherever they stand.
    let objects = nested(r#"{"extension":["#, "]}", 100_000);
    let fewer = nested(r#"{"extension":["#, "]}", 10_000);
    for version in FhirVersion::ALL {
        assert_eq!(condition(*version, &format!(r#""unknown":{lists}"#)), READ, "{version}");
        assert_eq!(condition(*version, &format!(r#""unknown":{fewer}"#)), READ, "{version}");
        assert_eq!(condition(*version, &format!(r#""unknown":{objects}"#)), refused(), "{version}");
        for deep in [&lists, &objects, &fewer] {
            let members = format!(r#""code":{{"extension":[{deep}]}}"#);
            assert_eq!(condition(*version, &members), refused(), "{version}");
        }
    }
}

#[test]
fn a_million_parts_of_one_resource_are_refused_before_they_are_built() {
    let million = vec!["{}"; 1_000_000].join(",");
    assert!(million.matches('{').count() > MAX_OBJECTS);
    for version in FhirVersion::ALL {
        let json = format!(r#"{{"resourceType":"Condition","id":"c","code":{{"coding":[{million}]}}}}"#);
        let section = read_as(*version, Section::Problems, &[&json]);
        assert_eq!((section.state, section.problems.len()), (SectionState::Partial, 1), "{version}");
    }
    // A large document is no such thing: it has few parts.
    let data = "QUJD".repeat(500_000);
    let document = format!(
        r#"{{"resourceType":"DocumentReference","id":"d","content":[{{"attachment":{{"data":"{data}"}}}}]}}"#
    );
    assert_eq!(items!(read_as(FhirVersion::R4, Section::Documents, &[&document]), Documents).len(), 1);
}

#[test]
fn of_a_million_resources_a_section_takes_its_fill_and_says_that_there_are_more() {
    let patient = PatientId::parse("pat-1").unwrap();
    let context = Context {
        patient: &patient,
        encounter: None,
        fhir_base: BASE,
        fhir_version: FhirVersion::R4,
        mapping: Mapping::V2026_1,
    };
    let json = br#"{"resourceType":"Condition","id":"c"}"#;
    let inputs = vec![Input { resource: json, read_at: READ_AT }; 1_000_000];
    let section: ChartSection = normalise(Section::Problems, &context, &inputs, Vec::new());
    assert_eq!((section.state, section.resources), (SectionState::Partial, 1_000_000));
    assert_eq!(section.problems.iter().map(|p| p.kind).collect::<Vec<_>>(), [ProblemKind::Truncated]);
    assert!(inputs.len() > MAX_RESOURCES);
}

#[test]
fn a_member_sent_twice_is_refused_where_it_is_read() {
    for version in FhirVersion::ALL {
        assert_eq!(condition(*version, r#""code":{"text":"a"},"code":{"text":"b"}"#), refused(), "{version}");
        assert_eq!(condition(*version, r#""code":{"text":"a","text":"b"}"#), refused(), "{version}");
        assert_eq!(condition(*version, r#""unknown":1,"unknown":2"#), READ, "{version}");
    }
    // Two spellings of one element are two of it.
    assert_eq!(condition(FhirVersion::Stu3, r#""assertedDate":"2020","recordedDate":"2021""#), refused());
}

#[test]
fn half_a_surrogate_is_refused_where_it_is_read_and_never_repaired() {
    for version in FhirVersion::ALL {
        for half in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud800x"] {
            assert_eq!(
                condition(*version, &format!(r#""code":{{"text":"{half}"}}"#)),
                refused(),
                "{version}"
            );
            assert_eq!(condition(*version, &format!(r#""unknown":"{half}""#)), READ, "{version}");
        }
        assert_eq!(condition(*version, r#""code":{"text":"\ud83d\ude00"}"#), READ, "{version}");
    }
}

#[test]
fn ids_longer_than_r4_allows_are_ids_up_to_a_bound() {
    for (length, expected) in [(64, 1), (65, 1), (130, 1), (256, 1), (257, 0), (100_000, 0)] {
        let json = format!(r#"{{"resourceType":"Condition","id":"{}"}}"#, "e".repeat(length));
        let section = read_as(FhirVersion::R4, Section::Problems, &[&json]);
        assert_eq!(items!(section, Problems).len(), expected, "{length}");
    }
    for id in ["", " ", "a/b", "a?b", "a#b", "..", "a%2Fb", "é", "a\\u0000"] {
        let json = format!(r#"{{"resourceType":"Condition","id":"{id}"}}"#);
        let section = read_as(FhirVersion::R4, Section::Problems, &[&json]);
        assert_eq!(section.problems.len(), 1, "{id}");
    }
}

#[test]
fn every_wrong_type_is_refused() {
    for version in FhirVersion::ALL {
        for members in [
            r#""code":"x""#,
            r#""code":[]"#,
            r#""code":[[],[],"positions are no names"]"#,
            r#""code":{"coding":{}}"#,
            r#""code":{"coding":[7]}"#,
            r#""code":{"coding":[{"userSelected":"true"}]}"#,
            r#""meta":7"#,
            r#""meta":{"profile":"x"}"#,
            r#""onsetDateTime":2020"#,
            r#""severity":true"#,
            r#""modifierExtension":{}"#,
            r#""recorder":"x","asserter":"x","participant":"x""#,
        ] {
            let (read, problems) = condition(*version, members);
            // R5 looks for a recorder among participants and finds none in a string.
            let is_refused = (read, problems) == refused();
            assert!(
                is_refused || (members.contains("participant") && *version == FhirVersion::R5),
                "{version} {members}"
            );
        }
        for json in ["", "null", "7", "[]", "\"x\"", "{", "{}", r#"{"resourceType":null}"#, "\u{feff}{}"] {
            let section = read_as(*version, Section::Problems, &[json]);
            assert_eq!(section.problems.len(), 1, "{version} {json}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let patient = PatientId::parse("pat-1").unwrap();
    for fhir_version in FhirVersion::ALL.iter().copied() {
        let context = Context {
            patient: &patient,
            encounter: None,
            fhir_base: BASE,
            fhir_version,
            mapping: Mapping::V2026_1,
        };
        let json = b"{\"resourceType\":\"Condition\",\"id\":\"c\",\"code\":{\"text\":\"\xff\xfe\"}}";
        let inputs = [Input { resource: json, read_at: READ_AT }];
        let section = normalise(Section::Problems, &context, &inputs, Vec::new());
        assert_eq!(section.problems.len(), 1, "{fhir_version}");
    }
}
