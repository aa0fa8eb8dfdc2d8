//! An endpoint that nobody has launched at: probed, certified and compared on a registration's own grant, at its test patients.

use anyhow::{Context, ensure};
use http::Method;
use sallyport::{
    certify,
    cli::{AskerArgs, CertifyArgs, ReconcileArgs},
    demo::Outside,
    ready::Ready,
    reconcile,
};
use sallyport_clinical::Mapping;
use sallyport_sandbox_ehr as sandbox;
use sallyport_test_e2e::world::World;
use serde_json::json;
use tokio::net::TcpListener;

const TENANT: &str = r#"[tenant]
id = "lakeside"
name = "Lakeside"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "ehr"
name = "An EHR of somebody else's"
vendor = "sandbox"
fhir_base = "{base}"
authorize_origins = ["{ehr}"]
token_origins = ["{ehr}"]
frame_ancestors = ["{ehr}"]

[endpoint.look]
registration = "looks"
feature = "look"
patients = ["pat-0002"]

[[registration]]
id = "looks"
endpoint = "ehr"
app = "looks"
client_id = "looks"
auth = "private_key_jwt"
launches = ["backend"]

[[app]]
id = "looks"
name = "Looks"
features = ["look", "patient-summary"]
default_feature = "patient-summary"

[[feature]]
id = "look"
title = "Looking at the endpoint"
kind = "service"
required = ["system/Patient.rs"]
optional = ["system/*.rs"]
purpose = "HOPERAT"
posture = "read-only, test patients"
justification = "Finds out what the EHR changed before a clinician does."

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "operations"
purposes = ["HOPERAT"]
types = ["*"]
permit = true
"#;

/// An instance with an EHR beside it that no person has ever launched from.
struct Beside {
    world: World,
    ehr: Outside,
}

impl Beside {
    async fn start(profile: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let config =
            sandbox::Config { public_base: origin.clone(), patients: 3, ..sandbox::Config::default() };
        let beside = sandbox::build(config).await?;
        tokio::spawn(async move {
            // It ends with the test.
            let _ended = sandbox::serve(listener, beside, std::future::pending()).await;
        });
        let folder = tempfile::tempdir()?;
        let base = format!("{origin}/{profile}/lakeside/fhir");
        let tenants = folder.path().join("data/tenants");
        std::fs::create_dir_all(&tenants)?;
        std::fs::write(
            tenants.join("lakeside.toml"),
            TENANT.replace("{base}", &base).replace("{ehr}", &origin),
        )?;
        let world = World::start_in(folder, "").await?;
        let app = world.outside.ready.app.clone();
        let ready = Ready { ehr: origin, fhir_base: base, ..world.outside.ready.clone() };
        let ehr = Outside::connect(&ready).await?;
        let client = json!({
            "client_id": "looks",
            "name": "Looks",
            "launch_url": format!("{app}/launch/looks"),
            "redirect_uris": [format!("{app}/callback/looks")],
            "auth": { "type": "jwks_uri", "value": format!("{app}/.well-known/jwks.json") },
            "scopes": ["system/*.rs"],
        });
        ehr.sandbox(Method::POST, "clients", Some(client)).await?;
        Ok(Self { world, ehr })
    }

    fn asker(&self, backend: bool) -> AskerArgs {
        AskerArgs {
            backend,
            reason: "a test".to_owned(),
            place: self.world.outside.ready.place(),
            ..AskerArgs::default()
        }
    }

    async fn certified(&self) -> anyhow::Result<certify::Report> {
        let args = CertifyArgs {
            endpoint: "ehr".to_owned(),
            tenant: "lakeside".to_owned(),
            json: false,
            rows: None,
            asker: self.asker(true),
        };
        certify::certify(&args).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_certified_at_its_test_patients_without_a_person() -> anyhow::Result<()> {
    let beside = Beside::start("strict").await?;
    let report = beside.certified().await?;
    ensure!(report.is_whole(), "{}", report.text());
    ensure!(report.asked.len() == 15, "{}", report.text());
    ensure!(report.text().contains("the endpoint's own grant"), "{}", report.text());
    let log = beside.ehr.requests(0).await?;
    let exchanges = || report.asked.iter().flat_map(|asked| &asked.exchanges);
    for exchange in exchanges().filter(|exchange| exchange.ehr_status.is_some()) {
        let at_the_ehr = log.iter().any(|seen| seen.to_string().contains(&exchange.request_id));
        ensure!(at_the_ehr, "{} never reached the EHR", exchange.request_id);
    }
    ensure!(
        exchanges().filter(|exchange| exchange.ehr_status == Some(200)).count() > 10,
        "{}",
        report.text()
    );
    let text = log.iter().map(ToString::to_string).collect::<String>();
    ensure!(text.contains("pat-0002") && !text.contains("pat-0001"), "only the test patient is read");
    let told = serde_json::to_string(&report)? + &report.text();
    for secret in ["pat-0002", "canary"] {
        ensure!(!told.contains(secret), "{secret} is in {told}");
    }
    beside.world.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_is_tried_on_the_test_patients_charts_before_the_switch() -> anyhow::Result<()> {
    let beside = Beside::start("strict").await?;
    let args = |to| ReconcileArgs {
        bundles: None,
        endpoint: Some("ehr".to_owned()),
        tenant: Some("lakeside".to_owned()),
        from: None,
        to,
        fhir_version: None,
        values: false,
        json: false,
        asker: beside.asker(true),
    };
    let report = reconcile::examine(&args(Mapping::V2026_2)).await?;
    ensure!(report.charts == 1 && report.resources > 20 && report.unread.is_empty(), "{report}");
    ensure!(!report.lines.is_empty(), "the second mapping changes something: {report}");
    let told = format!("{report}{}", serde_json::to_string(&report)?);
    ensure!(!told.contains("pat-0002") && !told.contains("such as"), "{told}");
    let same = reconcile::examine(&args(Mapping::V2026_1)).await?;
    ensure!(same.lines.is_empty() && same.resources == report.resources, "{same}");
    beside.world.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_neither_launch_nor_look_reads_nothing() -> anyhow::Result<()> {
    let beside = Beside::start("strict").await?;
    let mut args = CertifyArgs {
        endpoint: "ehr".to_owned(),
        tenant: "lakeside".to_owned(),
        json: false,
        rows: None,
        asker: beside.asker(false),
    };
    let refused = certify::certify(&args).await.err().context("refused")?;
    ensure!(format!("{refused:#}").contains("--backend"), "{refused:#}");
    args.asker.backend = true;
    (args.tenant, args.endpoint) = ("general".to_owned(), "sandbox".to_owned());
    let refused = certify::certify(&args).await.err().context("refused")?;
    ensure!(format!("{refused:#}").contains("[endpoint.look]"), "{refused:#}");
    beside.world.stop().await
}
