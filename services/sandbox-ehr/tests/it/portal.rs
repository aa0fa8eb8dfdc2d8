//! The EHR's pages for people.

use http::Method;
use sallyport_sandbox_ehr::{Config, Error, build, serve};
use tokio::net::TcpListener;
use url::Url;

use crate::ehr::{Ehr, answer};

async fn clinician(ehr: &Ehr) -> String {
    let list = ehr.admin(Method::GET, "/clinicians", serde_json::json!(null)).await.json();
    list[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_goes_from_sign_in_over_the_patient_list_to_the_chart() {
    let ehr = Ehr::start().await;
    let sign_in = ehr.get(&ehr.url("/")).await;
    let who = clinician(&ehr).await;
    assert!(sign_in.body.contains(&format!("clinician={who}")), "{}", sign_in.body);
    let list = ehr.get(&ehr.url(&format!("/?clinician={who}"))).await;
    let patients = ehr.sandbox.records().patients();
    for patient in &patients {
        assert!(list.body.contains(&format!("patient={}", patient.id)));
    }
    let found = ehr.get(&ehr.url(&format!("/?clinician={who}&q={}", patients[1].mrn))).await;
    assert!(found.body.contains(&patients[1].id) && !found.body.contains(&patients[0].id));
    let chart = ehr.get(&ehr.url(&format!("/?clinician={who}&patient={}", patients[0].id))).await;
    assert_eq!(chart.inputs("mode"), ["frame", "tab", "standalone"]);
    assert!(chart.body.contains("App public-app"));
    assert_eq!(ehr.get(&ehr.url("/assets/ehr.css")).await.header("content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_app_opens_in_a_frame_that_is_restricted_as_real_ehrs_do() {
    let ehr = Ehr::start().await;
    let who = clinician(&ehr).await;
    let patient = ehr.patient();
    let encounter = ehr.sandbox.records().encounters(&patient)[0].id.clone();
    let fields = [
        ("profile", "strict"),
        ("tenant", "general"),
        ("clinician", who.as_str()),
        ("patient", patient.as_str()),
        ("encounter", encounter.as_str()),
        ("client_id", "public-app"),
        ("intent", "order-review"),
        ("no_banner", "1"),
        ("width", "400"),
        ("mode", "frame"),
    ];
    let page = ehr.form(&ehr.url("/portal/launch"), &fields).await;
    assert_eq!(page.status, 200);
    let sandbox =
        "sandbox=\"allow-scripts allow-forms allow-same-origin allow-popups allow-popups-to-escape-sandbox\"";
    assert!(page.body.contains(sandbox), "{}", page.body);
    let source = page.body.split("src=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let source = Url::parse(&source).unwrap();
    assert_eq!(answer(&source, "iss"), Some(ehr.fhir("")));
    let launch = answer(&source, "launch").unwrap();
    let reply = ehr.get(&ehr.authorize_request("public-app", Some(&launch)).url()).await;
    let tokens = ehr.redeem("public-app", &answer(&reply.location(), "code").unwrap()).await.json();
    assert_eq!(tokens["encounter"], encounter);
    assert_eq!(tokens["intent"], "order-review");
    assert_eq!(tokens["need_patient_banner"], false);
}

#[tokio::test]
async fn a_tab_goes_to_the_app_with_a_launch_and_standalone_without() {
    let ehr = Ehr::start().await;
    let (who, patient) = (clinician(&ehr).await, ehr.patient());
    let open = async |mode: &str| {
        let fields = [
            ("profile", "strict"),
            ("tenant", "general"),
            ("clinician", who.as_str()),
            ("patient", patient.as_str()),
            ("client_id", "public-app"),
            ("mode", mode),
        ];
        ehr.form(&ehr.url("/portal/launch"), &fields).await.location()
    };
    let tab = open("tab").await;
    assert!(answer(&tab, "launch").is_some() && answer(&tab, "iss").is_some());
    let standalone = open("standalone").await;
    assert_eq!(standalone.as_str(), "http://localhost:8080/launch/sandbox");
}

#[tokio::test]
async fn what_a_person_types_is_shown_as_text() {
    let ehr = Ehr::start().await;
    let who = clinician(&ehr).await;
    let page =
        ehr.get(&ehr.url(&format!("/?clinician={who}&q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"))).await;
    assert!(!page.body.contains("<script"), "{}", page.body);
    assert!(page.header("content-security-policy").contains("script-src 'none'"));
}

#[tokio::test]
async fn access_can_be_withdrawn_on_the_management_page() {
    let ehr = Ehr::start().await;
    let tokens = ehr.tokens().await;
    let page = ehr.get(&ehr.oauth("/manage")).await;
    assert!(page.body.contains("App public-app"));
    let withdrawn = ehr.form(&ehr.oauth("/manage"), &[("grant", &page.inputs("grant")[0])]).await;
    assert_eq!(withdrawn.status, 303);
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(ehr.fhir_get(&format!("/Patient/{}", ehr.patient()), token).await.status, 401);
}

#[tokio::test]
async fn an_address_that_other_hosts_reach_is_refused_unless_allowed() {
    let serve_on_all = async |allow_non_loopback| {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let config = Config { patients: 1, allow_non_loopback, ..Config::default() };
        let sandbox = build(config).await.unwrap();
        serve(listener, sandbox, std::future::ready(())).await
    };
    assert!(matches!(serve_on_all(false).await, Err(Error::NonLoopback)));
    assert!(serve_on_all(true).await.is_ok());
}
