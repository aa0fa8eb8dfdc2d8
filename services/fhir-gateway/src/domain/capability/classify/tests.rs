use super::*;
use crate::domain::capability::touch::Asks;

/// One feature that needs Condition and can use Observation, one service, launches from the EHR with a secret.
fn touch() -> Touch {
    let summary = Asks {
        id: "summary".to_owned(),
        required: ["Condition".to_owned()].into(),
        optional: ["Observation".to_owned()].into(),
        ..Asks::default()
    };
    let notes =
        Asks { id: "notes".to_owned(), writes: ["DocumentReference".to_owned()].into(), ..Asks::default() };
    let report = Asks { id: "report".to_owned(), is_service: true, ..Asks::default() };
    Touch {
        features: vec![summary, notes, report],
        auths: ["client_secret_basic".to_owned()].into(),
        ehr_launch: true,
        pkce_required: true,
        pins: [("token_endpoint".to_owned(), vec!["https://auth.example".to_owned()])].into(),
        params: [("Observation".to_owned(), "category".to_owned())].into(),
        ..Touch::default()
    }
}

fn class(area: Area, what: What, subject: &str, values: (&str, &str)) -> String {
    let change = Change {
        area,
        subject: subject.to_owned(),
        what,
        before: values.0.to_owned(),
        after: values.1.to_owned(),
    };
    let found = classify(vec![change], &touch()).remove(0);
    format!("{} {}", found.class.as_str(), found.features.join(",")).trim().to_owned()
}

#[test]
fn discovery_breaks_where_launches_are_refused() {
    let smart = |what, subject, values| class(Area::Smart, what, subject, values);
    let all = "breaking summary,notes,report";
    assert_eq!(
        smart(What::Changed, "token_endpoint", ("https://auth.example", "https://other.example")),
        all
    );
    assert_eq!(
        smart(What::Changed, "token_endpoint", ("https://old.example", "https://auth.example")),
        "note"
    );
    assert_eq!(smart(What::Removed, "token_endpoint", ("https://auth.example", "")), all);
    assert_eq!(smart(What::Removed, "revocation_endpoint", ("https://auth.example", "")), "note");
    assert_eq!(smart(What::Removed, "capability launch-ehr", ("", "")), all);
    assert_eq!(smart(What::Removed, "capability launch-standalone", ("", "")), "note");
    assert_eq!(smart(What::Removed, "pkce S256", ("", "")), all);
    assert_eq!(smart(What::Added, "pkce plain", ("", "")), all);
    assert_eq!(smart(What::Added, "pkce S256", ("", "")), "note");
    assert_eq!(smart(What::Removed, "auth client_secret_basic", ("", "")), all);
    assert_eq!(smart(What::Removed, "auth private_key_jwt", ("", "")), "note");
    assert_eq!(smart(What::Removed, "scope patient/Condition.rs", ("", "")), "loses summary");
    assert_eq!(smart(What::Added, "scope patient/Observation.read", ("", "")), "gains summary");
    assert_eq!(smart(What::Removed, "scope patient/Goal.rs", ("", "")), "note");
}

#[test]
fn a_statement_touches_the_features_that_use_the_type() {
    let statement = |what, subject| class(Area::Statement, what, subject, ("", ""));
    assert_eq!(statement(What::Changed, "fhirVersion"), "breaking summary,notes,report");
    assert_eq!(statement(What::Changed, "software"), "note");
    assert_eq!(statement(What::Removed, "Condition search-type"), "breaking summary");
    assert_eq!(statement(What::Removed, "Observation read"), "loses summary");
    assert_eq!(statement(What::Added, "Observation read"), "gains summary");
    assert_eq!(statement(What::Removed, "Goal read"), "note");
    assert_eq!(statement(What::Removed, "Observation ?category"), "loses summary");
    assert_eq!(statement(What::Removed, "Observation ?value-date"), "note");
    assert_eq!(statement(What::Removed, "DocumentReference create"), "breaking notes");
    assert_eq!(statement(What::Removed, "Condition create"), "note");
    assert_eq!(statement(What::Removed, "operation export"), "loses report");
}

#[test]
fn answers_and_shapes_touch_them_too_and_keys_do_not() {
    assert_eq!(class(Area::Keys, What::Removed, "key 0011", ("", "")), "note");
    let answers = |values| class(Area::Answers, What::Changed, "Condition search-type", values);
    assert_eq!(answers(("answered", "refused")), "breaking summary");
    assert_eq!(answers(("refused", "answered")), "gains summary");
    let shape = |what, subject| class(Area::Shapes, what, subject, ("", ""));
    assert_eq!(shape(What::Removed, "Condition element code.text text"), "loses summary");
    assert_eq!(shape(What::Removed, "Condition system code.coding http://loinc.org"), "loses summary");
    assert_eq!(shape(What::Added, "Condition modifier http://v/m"), "loses summary");
    assert_eq!(shape(What::Added, "Condition element extra text"), "note");
    assert_eq!(shape(What::Removed, "Goal element code text"), "note");
}

#[test]
fn an_element_that_became_another_kind_breaks_and_the_worst_comes_first() {
    let change = |what, subject: &str| Change {
        area: Area::Shapes,
        subject: subject.to_owned(),
        what,
        before: String::new(),
        after: String::new(),
    };
    let changes = vec![
        change(What::Added, "Condition element code object"),
        change(What::Removed, "Condition element code text"),
        change(What::Removed, "Condition element verificationStatus object"),
    ];
    let classes: Vec<_> = classify(changes, &touch()).iter().map(|found| found.class).collect();
    assert_eq!(classes, [Class::Breaking, Class::Loses, Class::Note]);
}
