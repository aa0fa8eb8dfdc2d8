use std::{path::PathBuf, sync::Arc};

use sallyport_fhir::{Method, RawRequest};
use sallyport_model::{
    Actor, Authority, Clock, EndpointId, FeatureId, GrantId, LaunchId, PatientId, Purpose, TenantId,
    TestClock, User,
};
use sallyport_registry::Registry;

use super::*;
use crate::{
    config::Config,
    domain::{capability::rights::Rights, page_keys::KeyBook, place::Places, seen::Seen},
};

const TENANT: &str = r#"
[tenant]
id = "general"
name = "General Hospital"
environment = "sandbox"
time_zone = "America/New_York"
[[endpoint]]
id = "main"
name = "EHR"
vendor = "sandbox"
fhir_base = "http://127.0.0.1:8090/fhir"
authorize_origins = ["http://127.0.0.1:8090"]
token_origins = ["http://127.0.0.1:8090"]
frame_ancestors = ["http://127.0.0.1:8090"]
[[registration]]
id = "sandbox"
endpoint = "main"
app = "chart"
client_id = "sallyport"
auth = "public"
launches = ["ehr"]
[[app]]
id = "chart"
name = "Chart"
features = ["patient-summary"]
default_feature = "patient-summary"
[policy]
jurisdiction = "US-MA"
[[policy.rule]]
name = "no-coverage"
purposes = ["TREAT"]
types = ["Coverage"]
permit = false
[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
"#;

const FEATURE: &str = "patient/Patient.rs patient/Condition.rs patient/Observation.rs patient/Coverage.rs \
                       patient/Practitioner.rs patient/Medication.rs";

struct World {
    access: AccessContext,
    registry: Registry,
    place: Arc<Place>,
    seen: Arc<SeenByLaunch>,
    pages: Pages,
    launch: LaunchId,
    rights: Rights,
}

fn world(granted: &str, patients: Patients) -> World {
    let clock = TestClock::at(1_700_000_000_000_000);
    let registry = Registry::from_texts(&[(PathBuf::from("t.toml"), TENANT.to_owned())]).unwrap();
    let launch = LaunchId::new(&clock);
    let (tenant, endpoint) = (TenantId::parse("general").unwrap(), EndpointId::parse("main").unwrap());
    let place =
        Arc::clone(Places::new(&registry, &Config::default()).unwrap().of(&tenant, &endpoint).unwrap());
    let user = User { issuer: "i".into(), subject: "s".into(), fhir_user: None };
    let seen = Seen::new(100).of(launch, i64::MAX, || vec![(ResourceType::Practitioner, "seen".to_owned())]);
    let access = AccessContext {
        tenant,
        endpoint,
        authority: Authority::Launch(launch),
        grant: GrantId::new(&clock),
        actor: Actor::User(user),
        patients,
        encounter: None,
        granted: ScopeSet::parse(granted),
        feature: FeatureId::parse("patient-summary").unwrap(),
        feature_scopes: ScopeSet::parse(FEATURE),
        purpose: Purpose::Treat,
        expires_at: clock.now() + 1,
    };
    World {
        access,
        registry,
        place,
        seen,
        pages: Pages::new(Arc::new(KeyBook::new(Arc::new(TestClock::at(0)), 60_000_000)), 60, 3),
        launch,
        rights: Rights::default(),
    }
}

fn one() -> Patients {
    Patients::One(PatientId::parse("pat-1").unwrap())
}

impl World {
    fn ask(&self, path: &str, query: &str) -> Result<Admitted, Code> {
        let request =
            RawRequest { method: Method::Get, path, query: (!query.is_empty()).then_some(query), form: None };
        let interaction = Interaction::parse(&request, 64).unwrap();
        let tenant = self.registry.tenant(&self.access.tenant).unwrap();
        let gate = Gate {
            rights: &self.rights,
            access: &self.access,
            policy: &tenant.policy,
            place: &self.place,
            profile: tenant.endpoints.first().unwrap().behaviour.known(),
            seen: &self.seen,
            pages: &self.pages,
            now: 0,
        };
        gate.admit(&interaction).map_err(|refusal| refusal.code)
    }

    fn code(&self, path: &str, query: &str) -> Code {
        self.ask(path, query).err().unwrap_or(Code::Internal)
    }

    fn url(&self, path: &str, query: &str) -> String {
        self.ask(path, query).ok().map(|admitted| admitted.url.to_string()).unwrap_or_default()
    }
}

#[test]
fn a_search_without_a_patient_gets_ours() {
    let world = world(FEATURE, one());
    assert_eq!(
        world.url("/Condition", "code=a|b"),
        "http://127.0.0.1:8090/fhir/Condition?patient=pat-1&code=a%7Cb"
    );
    assert_eq!(world.url("/Patient", ""), "http://127.0.0.1:8090/fhir/Patient?_id=pat-1");
}

#[test]
fn every_spelling_of_our_patient_is_sent_as_one() {
    let world = world(FEATURE, one());
    for (query, sent) in [
        ("patient=pat-1", "patient=pat-1"),
        ("patient=Patient/pat-1", "patient=pat-1"),
        ("patient=http%3A%2F%2F127.0.0.1%3A8090%2Ffhir%2FPatient%2Fpat-1", "patient=pat-1"),
        ("subject=pat-1", "subject=Patient%2Fpat-1"),
    ] {
        assert_eq!(
            world.url("/Condition", query),
            format!("http://127.0.0.1:8090/fhir/Condition?{sent}"),
            "{query}"
        );
    }
}

#[test]
fn another_patient_in_any_spelling_is_refused() {
    let world = world(FEATURE, one());
    for query in [
        "patient=pat-2",
        "patient=Patient/pat-2",
        "patient=pat-1,pat-2",
        "patient=pat-1&subject=pat-2",
        "patient=Group/pat-1",
        "patient=http://elsewhere.example/fhir/Patient/pat-1",
        "subject=Patient/pat-1,Patient/pat-2",
    ] {
        assert_eq!(world.code("/Condition", query), Code::PatientDenied, "{query}");
    }
    assert_eq!(world.code("/Patient/pat-2", ""), Code::PatientDenied);
    assert_eq!(world.code("/Patient", "_id=pat-2"), Code::PatientDenied);
    assert_eq!(world.code("/Patient", "_id=pat-1,pat-2"), Code::PatientDenied);
}

#[test]
fn granted_and_feature_scopes_must_both_cover_the_call() {
    assert_eq!(world("patient/Patient.rs", one()).code("/Condition", ""), Code::ScopeDenied);
    assert_eq!(
        world("patient/*.rs", one()).code("/Immunization", ""),
        Code::ScopeDenied,
        "outside the feature"
    );
    assert_eq!(world("", one()).code("/Patient/pat-1", ""), Code::ScopeDenied);
    assert_eq!(
        world("patient/Condition.r", one()).code("/Condition", ""),
        Code::ScopeDenied,
        "read is not search"
    );
    assert_eq!(
        world("patient/Condition.s", one()).code("/Condition/c", ""),
        Code::ScopeDenied,
        "search is not read"
    );
    assert_eq!(world("system/*.cruds", one()).code("/Condition", ""), Code::ScopeDenied);
    assert!(world("user/*.rs patient/*.rs", one()).ask("/Condition", "").is_ok());
}

#[test]
fn a_constrained_scope_becomes_a_condition_on_the_answer() {
    let world = world("patient/Observation.rs?category=laboratory", one());
    let admitted = world.ask("/Observation", "").ok().unwrap();
    assert_eq!(admitted.constraints, [vec![vec![("category".to_owned(), "laboratory".to_owned())]]]);
}

#[test]
fn types_that_are_nobodys_need_a_reference_seen_before() {
    let world = world(FEATURE, one());
    assert!(world.ask("/Practitioner/seen", "").is_ok());
    assert_eq!(world.code("/Practitioner/other", ""), Code::PatientDenied);
    assert_eq!(world.code("/Practitioner", ""), Code::PatientDenied);
    assert!(world.ask("/Practitioner", "_id=seen").is_ok());
    assert_eq!(world.code("/Practitioner", "_id=seen,other"), Code::PatientDenied);
}

#[test]
fn without_a_patient_in_context_nothing_of_a_patient_is_asked_for() {
    let user = FEATURE.replace("patient/", "user/");
    for patients in [Patients::None, Patients::Cohort(vec![])] {
        let mut world = world(&user, patients);
        world.access.feature_scopes = ScopeSet::parse(&user);
        for path in ["/Patient/pat-1", "/Condition", "/Condition/c"] {
            assert_eq!(world.code(path, ""), Code::PatientDenied, "{path}");
        }
        assert!(world.ask("/Practitioner/seen", "").is_ok());
    }
    let world = world(FEATURE, Patients::None);
    assert_eq!(
        world.code("/Practitioner/seen", ""),
        Code::ScopeDenied,
        "a patient scope means a patient in context"
    );
}

#[test]
fn a_cohorts_search_names_one_of_its_patients() {
    let cohort =
        Patients::Cohort(vec![PatientId::parse("pat-1").unwrap(), PatientId::parse("pat-2").unwrap()]);
    let world = world(FEATURE, cohort);
    assert!(world.ask("/Condition", "patient=pat-2").is_ok());
    for query in ["", "code=x", "patient=pat-3", "patient=pat-1,pat-3"] {
        assert_eq!(world.code("/Condition", query), Code::PatientDenied, "{query}");
    }
}

#[test]
fn the_policy_decides_before_anything_is_sent() {
    assert_eq!(world(FEATURE, one()).code("/Coverage", ""), Code::PolicyDenied);
}

#[test]
fn a_page_is_admitted_like_the_search_it_belongs_to() {
    let world = world(FEATURE, one());
    let page = |resource_type| Page { resource_type, trail: Trail::at(2), below_base: "?page=2".to_owned() };
    let handle = world.pages.seal(world.launch, &page(ResourceType::Condition), 0);
    assert_eq!(world.url(&format!("/_page/{handle}"), ""), "http://127.0.0.1:8090/fhir?page=2");
    let handle = world.pages.seal(world.launch, &page(ResourceType::Coverage), 0);
    assert_eq!(world.code(&format!("/_page/{handle}"), ""), Code::PolicyDenied);
    let handle = world.pages.seal(world.launch, &page(ResourceType::Immunization), 0);
    assert_eq!(world.code(&format!("/_page/{handle}"), ""), Code::ScopeDenied);
    assert_eq!(world.code("/_page/AAAA", ""), Code::PageHandleInvalid);
}
