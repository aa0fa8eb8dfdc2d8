use sallyport_proto::audit::v1::Phase;

use super::*;

fn subject(number: u128) -> Arc<Subject> {
    Arc::new(Subject { id: Uuid::from_u128(number), key: DataKey::generate() })
}

fn keys(subjects: &[&Arc<Subject>]) -> HashMap<Uuid, Arc<Subject>> {
    subjects.iter().map(|subject| (subject.id, Arc::clone(subject))).collect()
}

fn record() -> Record {
    Record {
        record_id: vec![7; 16],
        phase: Phase::Outcome.into(),
        kind: Kind::FhirCall.into(),
        tenant: "general-hospital".to_owned(),
        patients: vec!["canary-pat-1".to_owned(), "canary-pat-2".to_owned()],
        encounter: "canary-enc".to_owned(),
        resource_id: "canary-res".to_owned(),
        actor: Some(Actor {
            kind: Some(actor::Kind::User(User {
                issuer: "https://ehr.example/canary".to_owned(),
                subject: "canary-sub".to_owned(),
                fhir_user: "Practitioner/canary".to_owned(),
            })),
        }),
        resource_types: vec!["Condition".to_owned()],
        detail: "kept".to_owned(),
        ..Record::default()
    }
}

#[test]
fn a_record_comes_back_whole_and_its_bytes_show_nobody() {
    let (one, two, user) = (subject(1), subject(2), subject(3));
    let subjects = Subjects {
        patients: vec![Arc::clone(&one), Arc::clone(&two)],
        user: Some(Arc::clone(&user)),
        tenant: None,
    };
    let sealed = seal(record(), &subjects).unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"canary"));
    assert!(sealed.windows(9).any(|window| window == b"Condition"), "what is nobody's stays readable");
    let opened = Closed::decode(&sealed).unwrap().open(&keys(&[&one, &two, &user])).unwrap();
    assert_eq!(opened, record());
}

#[test]
fn a_destroyed_patient_key_erases_that_patient_and_what_belongs_to_either() {
    let (one, two, user) = (subject(1), subject(2), subject(3));
    let subjects = Subjects {
        patients: vec![Arc::clone(&one), Arc::clone(&two)],
        user: Some(Arc::clone(&user)),
        tenant: None,
    };
    let sealed = seal(record(), &subjects).unwrap();
    let opened = Closed::decode(&sealed).unwrap().open(&keys(&[&two, &user])).unwrap();
    let expected = Record {
        patients: vec![ERASED.to_owned(), "canary-pat-2".to_owned()],
        encounter: ERASED.to_owned(),
        resource_id: ERASED.to_owned(),
        ..record()
    };
    assert_eq!(opened, expected);
}

#[test]
fn a_destroyed_user_key_erases_the_user_alone() {
    let (one, two, user) = (subject(1), subject(2), subject(3));
    let subjects = Subjects {
        patients: vec![Arc::clone(&one), Arc::clone(&two)],
        user: Some(Arc::clone(&user)),
        tenant: None,
    };
    let sealed = seal(record(), &subjects).unwrap();
    let opened = Closed::decode(&sealed).unwrap().open(&keys(&[&one, &two])).unwrap();
    let erased = User { subject: ERASED.to_owned(), ..User::default() };
    assert_eq!(opened, Record { actor: Some(Actor { kind: Some(actor::Kind::User(erased)) }), ..record() });
}

#[test]
fn a_value_moved_to_another_record_does_not_open() {
    let one = subject(1);
    let subjects = Subjects { patients: vec![Arc::clone(&one)], user: None, tenant: None };
    let simple = Record { patients: vec!["pat".to_owned()], actor: None, ..record() };
    let sealed = seal(simple.clone(), &subjects).unwrap();
    let other = seal(Record { record_id: vec![8; 16], ..simple }, &subjects).unwrap();
    let mut moved = Stored::decode(other.as_slice()).unwrap();
    moved.values = Stored::decode(sealed.as_slice()).unwrap().values;
    assert!(Closed::decode(&moved.encode_to_vec()).unwrap().open(&keys(&[&one])).is_err());
}

#[test]
fn an_id_without_patient_or_user_is_sealed_under_the_tenants_own_key() {
    let record = Record { patients: Vec::new(), actor: None, ..record() };
    assert!(needs_tenant_subject(&record));
    let tenant = subject(9);
    let subjects = Subjects { patients: Vec::new(), user: None, tenant: Some(Arc::clone(&tenant)) };
    let sealed = seal(record.clone(), &subjects).unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"canary"));
    assert_eq!(Closed::decode(&sealed).unwrap().open(&keys(&[&tenant])).unwrap(), record);
}

#[test]
fn the_reason_of_a_query_is_sealed_and_other_details_are_not() {
    let user = subject(3);
    let subjects = Subjects { patients: Vec::new(), user: Some(Arc::clone(&user)), tenant: None };
    let query = Record {
        kind: Kind::AuditQuery.into(),
        patients: Vec::new(),
        detail: "canary reason".to_owned(),
        ..record()
    };
    let sealed = seal(query.clone(), &subjects).unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"canary"));
    assert_eq!(Closed::decode(&sealed).unwrap().open(&keys(&[&user])).unwrap(), query);
}
