//! A running instance with two tenants, launches of both, one that was ended, and every service's door over mutual TLS.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, ensure};
use http::Method;
use sallyport::demo::{Outside, browser::Browser, ehr_launch};
use sallyport_model::{Clock, LaunchId, ServiceName, SystemClock, session};
use sallyport_proto::{
    convert,
    gateway::v1::ViewRequest,
    launch::v1::{ResolveRequest, ResolveResponse, RevokeRequest, launch_auth_client::LaunchAuthClient},
    types::v1::{Selector, selector::By},
    vault::v1::{AccessTokenRequest, token_vault_client::TokenVaultClient},
};
use sallyport_rpc::{Doors, Served, Transport, pki, tls::Identity};
use sallyport_sandbox_ehr as sandbox;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use url::Url;

use super::{
    asking::{Answer, Ask, Way},
    console::People,
};
use crate::{
    any_ehr::{
        registering::{add, client_id, values},
        walking::walk,
    },
    world::World,
};

/// The other tenant.
pub(super) const OTHER: &str = "lakeside";

/// One launch as its own browser knows it.
#[derive(Clone)]
pub(super) struct Launch {
    pub(super) id: Vec<u8>,
    pub(super) secret: String,
    pub(super) grant: Vec<u8>,
    pub(super) patient: String,
}

/// What calls are made of.
pub(super) struct Facts {
    /// Of the tenant `general`, open.
    pub(super) own: Launch,
    /// Of the tenant `lakeside`, open.
    pub(super) other: Launch,
    /// Of the tenant `general`, revoked.
    pub(super) ended: Launch,
    /// Somebody of `general` whom this launch is not about.
    pub(super) stranger: String,
    /// Somebody at the console, open.
    pub(super) operator: String,
    /// Somebody at the console, ended.
    pub(super) ended_operator: String,
}

impl Facts {
    /// Whether an answer holds anything that is the own launch's alone. (Two EHRs may give two patients the same id.)
    pub(super) fn is_in(&self, message: &[u8]) -> bool {
        let own = [self.own.id.as_slice(), &self.own.grant, self.own.secret.as_bytes()];
        own.iter().any(|secret| message.windows(secret.len()).any(|part| part == *secret))
    }
}

/// Everything.
pub(super) struct Scene {
    world: World,
    ehr: Outside,
    served: Vec<Served>,
    transports: Transports,
    pub(super) facts: Facts,
    pub(super) people: People,
    _pki: tempfile::TempDir,
    _stop: watch::Sender<bool>,
    serving: JoinSet<()>,
}

/// launch-auth as the gateway asks it.
pub(super) type Resolver = LaunchAuthClient<Transport>;

/// Every caller's way to each contract over mutual TLS.
pub(super) type Transports = HashMap<(ServiceName, String), Transport>;

/// Asks launch-auth as the gateway does.
pub(super) fn resolver(served: &[Served]) -> anyhow::Result<Resolver> {
    let owner = owner(served, "/sallyport.launch.v1.LaunchAuth/Resolve").context("launch-auth")?;
    Ok(LaunchAuthClient::new(Transport::local(owner.clone(), ServiceName::FhirGateway)))
}

/// The way of a caller to a method.
pub(super) fn transport(
    served: &[Served],
    transports: &Transports,
    way: Way,
    caller: ServiceName,
    method: &str,
) -> anyhow::Result<Transport> {
    let owner = owner(served, method).with_context(|| format!("nobody offers {method}"))?;
    match way {
        Way::Local => Ok(Transport::local(owner.clone(), caller)),
        Way::Tls => {
            let key = (caller, service_of(method).to_owned());
            transports.get(&key).cloned().context("a transport")
        }
    }
}

/// What denied calls must not change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    is_open: Vec<bool>,
    opens_at_the_gateway: Vec<String>,
    token_version: Vec<i64>,
    revocation_head: i64,
    asked_of_ehrs: [u64; 2],
}

impl Scene {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let mut serving = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let config =
            sandbox::Config { public_base: origin.clone(), patients: 3, ..sandbox::Config::default() };
        let second = sandbox::build(config).await?;
        serving.spawn(async move {
            // It ends with the test.
            let _ended = sandbox::serve(listener, second, std::future::pending()).await;
        });
        let folder = tempfile::tempdir()?;
        let base = format!("{origin}/strict/{OTHER}/fhir");
        let mut args = values(folder.path(), &base, OTHER);
        args.vendor = "sandbox".to_owned();
        add(args).await?;
        let world = World::start_in(folder, "").await?;
        let ready = sallyport::ready::Ready { ehr: origin, fhir_base: base, ..world.outside.ready.clone() };
        let ehr = Outside::connect(&ready).await?;
        let served = world.served();
        let mut resolve = resolver(&served)?;
        let patients = world.outside.patients().await?;
        let [first, stranger, ..] = patients.as_slice() else { anyhow::bail!("two patients") };
        let mut browser = Browser::new();
        let own = general(&world, &mut browser, first, &mut resolve).await?;
        let ended = general(&world, &mut browser, first, &mut resolve).await?;
        let other = lakeside(&ehr, &mut resolve).await?;
        revoke(&served, &ended).await?;
        let people = People::sign_in(&served, OTHER).await?;
        let operator = people.everywhere.first().context("somebody at the console")?.secret.clone();
        let ended_operator = people.ended.clone();
        let facts = Facts { own, other, ended, stranger: stranger.clone(), operator, ended_operator };
        let (pki, stop) = (tempfile::tempdir()?, watch::Sender::new(false));
        let transports = doors(&served, pki.path(), &stop, &mut serving).await?;
        Ok(Self { world, ehr, served, transports, facts, people, _pki: pki, _stop: stop, serving })
    }

    pub(super) fn served(&self) -> &[Served] {
        &self.served
    }

    /// The callers that the service itself lists for a method.
    pub(super) fn allow_list(&self, method: &str) -> Option<Vec<ServiceName>> {
        let rows = self.served.iter().flat_map(|served| served.allow_list());
        rows.filter(|(path, _)| *path == method).map(|(_, callers)| callers.to_vec()).next()
    }

    pub(super) async fn ask(
        &self,
        way: Way,
        caller: ServiceName,
        method: &str,
        ask: Ask,
    ) -> anyhow::Result<Answer> {
        let transport = transport(&self.served, &self.transports, way, caller, method)?;
        Answer::over(transport, &ask, method).await
    }

    /// Reads what can be read of the two open launches and of what the EHRs were asked.
    pub(super) async fn state(&self) -> anyhow::Result<State> {
        let find = |method| owner(&self.served, method).cloned().context("an owner");
        let launch = find("/sallyport.launch.v1.LaunchAuth/Resolve")?;
        let vault = find("/sallyport.vault.v1.TokenVault/AccessToken")?;
        let mut launch = LaunchAuthClient::new(Transport::local(launch, ServiceName::FhirGateway));
        let mut vault = TokenVaultClient::new(Transport::local(vault, ServiceName::FhirGateway));
        let (mut is_open, mut token_version, mut revocation_head) = (Vec::new(), Vec::new(), 0);
        for (tenant, of) in [("general", &self.facts.own), (OTHER, &self.facts.other)] {
            let answer = resolve(&mut launch, &of.id, &of.secret).await;
            is_open.push(answer.is_ok());
            revocation_head = answer.map_or(-1, |session| session.revocation_head);
            let request = AccessTokenRequest {
                tenant: tenant.to_owned(),
                grant_id: of.grant.clone(),
                rejected_sha256: Vec::new(),
            };
            let token = vault.access_token(request).await;
            token_version.push(token.map_or(-1, |token| token.into_inner().version));
        }
        ensure!(is_open == [true, true], "both launches are open: {is_open:?}");
        let mut opens_at_the_gateway = Vec::new();
        for of in [&self.facts.own, &self.facts.other] {
            let ask = Ask::new(&ViewRequest { launch_id: of.id.clone() }).with(&of.secret);
            let method = "/sallyport.gateway.v1.FhirGateway/View";
            opens_at_the_gateway.push(self.ask(Way::Local, ServiceName::Web, method, ask).await?.code);
        }
        let asked_of_ehrs = [writes(&self.world.outside).await?, writes(&self.ehr).await?];
        Ok(State { is_open, opens_at_the_gateway, token_version, revocation_head, asked_of_ehrs })
    }

    pub(super) async fn close(mut self) -> anyhow::Result<()> {
        self.serving.shutdown().await;
        self.world.stop().await
    }
}

/// How often a token endpoint was asked for anything: exchange, refresh or revocation.
async fn writes(ehr: &Outside) -> anyhow::Result<u64> {
    let requests = ehr.requests(0).await?;
    let of_tokens = |request: &&serde_json::Value| {
        let path = request.get("path").and_then(|path| path.as_str()).unwrap_or_default();
        path.ends_with("/token") || path.ends_with("/revoke")
    };
    Ok(requests.iter().filter(of_tokens).count() as u64)
}

pub(super) fn owner<'s>(served: &'s [Served], method: &str) -> Option<&'s Served> {
    served.iter().find(|served| served.allow_list().iter().any(|(path, _)| *path == method))
}

/// `/sallyport.launch.v1.LaunchAuth/Resolve` is of `sallyport.launch.v1.LaunchAuth`.
fn service_of(method: &str) -> &str {
    method.trim_start_matches('/').split('/').next().unwrap_or_default()
}

pub(super) async fn resolve(
    client: &mut Resolver,
    launch: &[u8],
    secret: &str,
) -> Result<ResolveResponse, tonic::Status> {
    let request = ResolveRequest { launch_id: launch.to_vec(), session_secret: secret.to_owned() };
    client.resolve(request).await.map(tonic::Response::into_inner)
}

pub(super) async fn known(
    browser: &Browser,
    id: LaunchId,
    app: &str,
    client: &mut Resolver,
) -> anyhow::Result<Launch> {
    let host = Url::parse(app)?.host_str().unwrap_or_default().to_owned();
    let secret = session::find_cookie(&browser.cookie_header(&host), id).context("the launch's cookie")?;
    let secret = secret.expose().clone();
    let id = convert::id_bytes(id.uuid());
    let session = resolve(client, &id, &secret).await?;
    Ok(Launch { id, secret, grant: session.grant_id, patient: session.patient })
}

async fn general(
    world: &World,
    browser: &mut Browser,
    patient: &str,
    client: &mut Resolver,
) -> anyhow::Result<Launch> {
    let launched = ehr_launch(&world.outside, browser, patient).await?;
    known(browser, launched.launch, &world.outside.ready.app, client).await
}

async fn lakeside(ehr: &Outside, client: &mut Resolver) -> anyhow::Result<Launch> {
    let app = &ehr.ready.app;
    let registered = json!({
        "client_id": client_id(OTHER),
        "name": "Sallyport chart",
        "launch_url": format!("{app}/launch/{OTHER}"),
        "redirect_uris": [format!("{app}/callback/{OTHER}")],
        "auth": { "type": "public" },
        "scopes": ["launch", "launch/patient", "openid", "fhirUser", "profile", "online_access", "patient/*.rs"],
    });
    ehr.sandbox(Method::POST, "clients", Some(registered)).await?;
    let patient = ehr.patients().await?.into_iter().next().context("a patient")?;
    let wanted = json!({ "client_id": client_id(OTHER), "patient": patient, "tenant": OTHER });
    let mut browser = Browser::new();
    let walked = walk(&mut browser, app, &ehr.launch_with(wanted).await?).await?;
    known(&browser, walked.launch()?, app, client).await
}

async fn revoke(served: &[Served], launch: &Launch) -> anyhow::Result<()> {
    let owner = owner(served, "/sallyport.launch.v1.LaunchAuth/Revoke").context("launch-auth")?;
    let mut operator = LaunchAuthClient::new(Transport::local(owner.clone(), ServiceName::Operator));
    let selector = Some(Selector { by: Some(By::Launch(launch.id.clone())) });
    let request =
        RevokeRequest { tenant: "general".to_owned(), selector, reason: "the matrix ends it".to_owned() };
    let revoked = operator.revoke(request).await?.into_inner();
    ensure!((revoked.launches, revoked.grants) == (1, 1), "one launch was ended");
    Ok(())
}

/// Serves each service under its own identity, and makes every caller's way to each.
pub(super) async fn doors(
    served: &[Served],
    folder: &std::path::Path,
    stop: &watch::Sender<bool>,
    serving: &mut JoinSet<()>,
) -> anyhow::Result<Transports> {
    pki::dev(folder, &pki::Request::new(&ServiceName::ALL, SystemClock.now()))?;
    let mut transports = HashMap::new();
    for service in served {
        let contracts: BTreeSet<&str> =
            service.allow_list().iter().map(|(method, _)| service_of(method)).collect();
        // A service may keep several contracts; they are behind one door.
        let name = match *contracts.first().context("a service with methods")? {
            "sallyport.launch.v1.LaunchAuth"
            | "sallyport.launch.v1.Incidents"
            | "sallyport.launch.v1.Operators" => ServiceName::LaunchAuth,
            "sallyport.vault.v1.TokenVault" => ServiceName::TokenVault,
            "sallyport.gateway.v1.FhirGateway" => ServiceName::FhirGateway,
            "sallyport.audit.v1.Audit" => ServiceName::Audit,
            "sallyport.jobs.v1.Jobs" | "sallyport.jobs.v1.CareGaps" => ServiceName::JobWorker,
            other => anyhow::bail!("say here who offers {other}"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address: http::Uri = format!("https://{}", listener.local_addr()?).parse()?;
        let doors = Doors { rpc: vec![service.clone()], http: None };
        let identity = Identity::load(pki::files(folder, name))?;
        let running = sallyport_rpc::serve(listener, identity, doors, stop.subscribe());
        serving.spawn(async move {
            // It ends with the test.
            let _ended = running.await;
        });
        for caller in ServiceName::ALL {
            let identity = Identity::load(pki::files(folder, caller))?;
            let transport = sallyport_rpc::connect(identity, name, std::slice::from_ref(&address))?;
            for contract in &contracts {
                transports.insert((caller, (*contract).to_owned()), transport.clone());
            }
        }
    }
    Ok(transports)
}
