//! A server that nobody here wrote, by configuration alone: every way to authenticate, both kinds of launch, its
//! refusals, its old and its unusual discovery.

use anyhow::{Context, ensure};
use sallyport::demo::browser::{Browser, Page};
use sallyport_model::{LaunchId, Secret};
use url::Url;

use super::{
    foreign::{Foreign, Habits, PATIENT, Proof},
    registering::{add, fill_in, keys_of, secret_file, values},
    walking::{Walked, walk, words},
};
use crate::world::World;

/// A tenant at a foreign EHR, in a running instance.
struct Place {
    world: World,
    ehr: Foreign,
}

const TENANT: &str = "elsewhere";

impl Place {
    async fn open(habits: Habits) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let ehr = Foreign::start(habits).await?;
        let mut args = values(folder.path(), ehr.base(), TENANT);
        args.capability_fallback = habits.has_only_a_statement;
        add(args).await?;
        let world = World::start_in(folder, "").await?;
        fill_in(&ehr, &world.outside.ready.app, TENANT, Proof::Public);
        Ok(Self { world, ehr })
    }

    fn app(&self) -> &str {
        &self.world.outside.ready.app
    }

    async fn launch(&self, browser: &mut Browser) -> anyhow::Result<Walked> {
        walk(browser, self.app(), &self.ehr.launch_url(self.app(), TENANT)?).await
    }
}

async fn call(
    browser: &mut Browser,
    app: &str,
    prefix: &str,
    launch: LaunchId,
    rest: &str,
) -> anyhow::Result<Page> {
    browser.fetch(&Url::parse(&format!("{app}/{prefix}/{launch}/{rest}"))?).await
}

/// Launch after launch at five registrations of the same product, one per way to authenticate.
///
/// # Errors
/// The first way or launch that does not end at that patient's chart, or that the server had to complain of.
pub async fn every_way_to_authenticate_works() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let secret = "s3cret/with:odd+characters";
    let ways = [
        ("public", "public", "none", None),
        ("basic", "client_secret_basic", "basic", None),
        ("post", "client_secret_post", "post", None),
        ("es384", "private_key_jwt", "ES384", None),
        ("rs384", "private_key_jwt", "RS384", Some("RS384")),
    ];
    let mut ehrs = Vec::new();
    for (tenant, auth, seen_as, algorithm) in ways {
        let ehr = Foreign::start(Habits::default()).await?;
        ensure!(ehr.base().len() > 1_000, "the base is {} characters long", ehr.base().len());
        let mut args = values(folder.path(), ehr.base(), tenant);
        args.auth = auth.to_owned();
        args.algorithm = algorithm.map(str::to_owned);
        if auth.starts_with("client_secret") {
            args.secret_file = Some(secret_file(folder.path(), tenant, secret)?);
        }
        add(args).await?;
        ehrs.push((tenant, seen_as, ehr));
    }
    let world = World::start_in(folder, "").await?;
    let app = world.outside.ready.app.clone();
    for (tenant, seen_as, ehr) in &ehrs {
        let proof = match *seen_as {
            "none" => Proof::Public,
            "basic" => Proof::Basic(Secret::new(secret.to_owned())),
            "post" => Proof::Post(Secret::new(secret.to_owned())),
            _ => Proof::Jwt(keys_of(&app)?),
        };
        fill_in(ehr, &app, tenant, proof);
        let standalone = Url::parse(&format!("{app}/launch/{tenant}"))?;
        for (kind, start) in [("ehr", ehr.launch_url(&app, tenant)?), ("standalone", standalone)] {
            let mut browser = Browser::new();
            let walked = walk(&mut browser, &app, &start).await?;
            let outcome = chart_is_there(&mut browser, &app, &walked).await;
            let asked = || format!("{tenant}, {kind}; the server said {:?}", ehr.complaints());
            outcome.with_context(asked)?;
            let came = ehr.seen("authorize").last().map(|seen| seen.note.clone());
            ensure!(came == Some(format!("GET {kind}")), "{tenant} {kind} came as {came:?}");
            let how = ehr.seen("token").last().map(|seen| seen.note.clone());
            ensure!(how.as_deref() == Some(*seen_as), "{tenant} authenticated by {how:?}");
        }
        ensure!(ehr.complaints().is_empty(), "{tenant}: {:?}", ehr.complaints());
    }
    world.stop().await?;
    Ok(())
}

/// The person sees this server's patient: banner page, FHIR read, a section of the normalised chart, who is signed in.
async fn chart_is_there(browser: &mut Browser, app: &str, walked: &Walked) -> anyhow::Result<()> {
    let launch = walked.launch()?;
    let chart = walked.chart.as_ref().context("no chart")?;
    let page = browser.visit(chart).await?;
    ensure!(
        page.status == 200 && page.text().to_lowercase().contains("adams"),
        "the chart answered {}: {}",
        page.status,
        words(&page.text())
    );
    let patient = call(browser, app, "fhir", launch, &format!("Patient/{PATIENT}")).await?;
    ensure!(patient.status == 200, "Patient answered {}: {}", patient.status, patient.text());
    let problems = call(browser, app, "api", launch, "v1/chart/problems").await?;
    ensure!(problems.text().contains("Hypertensive disorder"), "the problems are {}", problems.text());
    let session = browser.fetch(&Url::parse(&format!("{app}/session/{launch}"))?).await?.json()?;
    let user = session.pointer("/user/fhirUser").and_then(|v| v.as_str()).unwrap_or_default();
    ensure!(user.ends_with("/Practitioner/p-9"), "signed in is {user:?}");
    ensure!(
        session.get("renewable") == Some(&serde_json::Value::Bool(false)),
        "without a refresh token it is not renewable"
    );
    Ok(())
}

/// The operator finds out that the EHR wants RS384: the tenant file is changed, and a key of that kind is published and
/// signs, without anything else to do.
///
/// # Errors
/// When the key that was made before goes on signing, or none does.
pub async fn another_algorithm_makes_another_key() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let ehr = Foreign::start(Habits::default()).await?;
    let mut args = values(folder.path(), ehr.base(), TENANT);
    args.auth = "private_key_jwt".to_owned();
    let file = add(args).await?;
    let (mut folder, mut remains) = (Some(folder), None);
    for algorithm in ["ES384", "RS384", "RS384"] {
        let text = std::fs::read_to_string(&file)?;
        if algorithm == "RS384" && !text.contains("algorithm") {
            let changed = text.replace("launches =", "algorithm = \"RS384\"\nlaunches =");
            std::fs::write(&file, changed)?;
        }
        let world = match remains.take() {
            Some(remains) => World::resume(remains, "").await?,
            None => World::start_in(folder.take().context("the first start")?, "").await?,
        };
        let app = world.outside.ready.app.clone();
        fill_in(&ehr, &app, TENANT, Proof::Jwt(keys_of(&app)?));
        let walked = walk(&mut Browser::new(), &app, &ehr.launch_url(&app, TENANT)?).await?;
        walked.launch().with_context(|| format!("{:?}", ehr.complaints()))?;
        let how = ehr.seen("token").last().map(|seen| seen.note.clone());
        ensure!(how.as_deref() == Some(algorithm), "{algorithm} was wanted, {how:?} signed");
        remains = Some(world.pause().await);
    }
    remains.context("it ran")?.remove().await
}

/// The refusals of a token endpoint that answers 401 to everything: a page with the right code each, and no retry.
///
/// # Errors
/// The first that was told otherwise.
pub async fn refusals_with_401_are_told_apart() -> anyhow::Result<()> {
    let place = Place::open(Habits::default()).await?;
    for (error, code) in [
        ("invalid_grant", "exchange.refused"),
        ("invalid_client", "exchange.client_refused"),
        ("unauthorized_client", "exchange.client_refused"),
        ("a_word_of_its_own", "exchange.refused"),
    ] {
        place.ehr.behave(Habits { refuses_codes: Some(error), ..Habits::default() });
        let before = place.ehr.seen("token").len();
        let walked = place.launch(&mut Browser::new()).await?;
        let page = walked.last()?;
        ensure!(walked.chart.is_none() && page.text().contains(code), "{error} became: {}", page.text());
        ensure!(page.status >= 400 && page.text().contains("Reference"), "{error}: a page for a person");
        ensure!(!page.text().contains(error) || error == "invalid_client", "{error} is reflected");
        ensure!(place.ehr.seen("token").len() == before + 1, "{error} was asked again");
    }
    place.world.stop().await?;
    Ok(())
}

/// A FHIR 401 in plain text with nothing to refresh: one call, one answer that says to start again.
///
/// # Errors
/// When it is anything else.
pub async fn a_plain_text_401_ends_the_grant() -> anyhow::Result<()> {
    let place = Place::open(Habits::default()).await?;
    let mut browser = Browser::new();
    let launch = place.launch(&mut browser).await?.launch()?;
    let path = format!("Patient/{PATIENT}");
    let first = call(&mut browser, place.app(), "fhir", launch, &path).await?;
    ensure!(first.status == 200, "the first read answered {}: {}", first.status, first.text());
    place.ehr.behave(Habits { refuses_tokens: true, ..Habits::default() });
    let (tokens, reads) = (place.ehr.seen("token").len(), place.ehr.seen("fhir").len());
    let refused = call(&mut browser, place.app(), "fhir", launch, &path).await?;
    ensure!(
        refused.status == 401 && refused.text().contains("grant.dead"),
        "{}: {}",
        refused.status,
        refused.text()
    );
    ensure!(
        refused.text().contains("OperationOutcome") && !refused.text().contains("Unauthorized\""),
        "an outcome of ours"
    );
    ensure!(
        place.ehr.seen("token").len() == tokens,
        "nothing could be refreshed, but the token endpoint was asked"
    );
    ensure!(place.ehr.seen("fhir").len() == reads + 1, "the call was repeated with the same token");
    place.world.stop().await?;
    Ok(())
}

/// Without a `kid` a signature is still checked.
///
/// # Errors
/// When a token that the published key did not sign opens a chart.
pub async fn an_unsigned_person_is_nobody() -> anyhow::Result<()> {
    let place = Place::open(Habits { signs_with_another_key: true, ..Habits::default() }).await?;
    let walked = place.launch(&mut Browser::new()).await?;
    let page = walked.last()?;
    ensure!(walked.chart.is_none() && page.text().contains("identity.invalid"), "it became: {}", page.text());
    place.world.stop().await?;
    Ok(())
}

/// A server of SMART 1 without smart-configuration: refused unless the operator accepts its CapabilityStatement.
///
/// # Errors
/// When it is accepted unasked, or does not work when it is accepted.
pub async fn a_capability_statement_stands_in_where_accepted() -> anyhow::Result<()> {
    let habits = Habits { has_only_a_statement: true, ..Habits::default() };
    let folder = tempfile::tempdir()?;
    let strict = Foreign::start(habits).await?;
    let refusal = add(values(folder.path(), strict.base(), TENANT)).await;
    let refusal = refusal.err().context("it was registered without a smart-configuration")?;
    ensure!(format!("{refusal:#}").contains("--capability-fallback"), "{refusal:#}");
    ensure!(strict.seen("metadata").is_empty(), "nobody asked for the statement");

    let place = Place::open(habits).await?;
    let mut browser = Browser::new();
    let walked = place.launch(&mut browser).await?;
    chart_is_there(&mut browser, place.app(), &walked)
        .await
        .with_context(|| format!("{:?}", place.ehr.complaints()))?;
    ensure!(!place.ehr.seen("metadata").is_empty(), "the statement was read");
    place.world.stop().await?;
    Ok(())
}

/// A smart-configuration that names no key set: OpenID discovery at the issuer does, and its host is pinned.
///
/// # Errors
/// When who signs in is not verified with these keys.
pub async fn keys_are_found_by_openid_discovery() -> anyhow::Result<()> {
    let place = Place::open(Habits { leaves_keys_to_openid: true, ..Habits::default() }).await?;
    let mut browser = Browser::new();
    let walked = place.launch(&mut browser).await?;
    chart_is_there(&mut browser, place.app(), &walked)
        .await
        .with_context(|| format!("{:?}", place.ehr.complaints()))?;
    ensure!(!place.ehr.seen("keys").is_empty(), "the keys were fetched");
    place.world.stop().await?;
    Ok(())
}

/// POST in, POST out: an EHR that takes the long request by a form and answers by another.
///
/// # Errors
/// When either way is a redirect, or the chart does not open.
pub async fn forms_carry_request_and_answer() -> anyhow::Result<()> {
    let place = Place::open(Habits { takes_post: true, answers_by_form: true, ..Habits::default() }).await?;
    let mut browser = Browser::new();
    let walked = place.launch(&mut browser).await?;
    chart_is_there(&mut browser, place.app(), &walked)
        .await
        .with_context(|| format!("{:?}", place.ehr.complaints()))?;
    let came = place.ehr.seen("authorize").last().map(|seen| seen.note.clone());
    ensure!(came.as_deref() == Some("POST ehr"), "the request came as {came:?}");
    let queries: Vec<usize> = walked.pages.iter().map(|p| p.url.query().unwrap_or_default().len()).collect();
    ensure!(queries.iter().skip(1).all(|length| *length == 0), "a query after the launch: {queries:?}");
    place.world.stop().await?;
    Ok(())
}
