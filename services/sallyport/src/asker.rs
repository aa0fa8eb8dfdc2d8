//! Who asks an EHR through a running instance: a person's open launch, by the front door; or nobody's, by the endpoint's own
//! grant at its test patients ([endpoint.look]). What is asked and how it is judged is the same for both.

mod front_door;
mod look_door;

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use sallyport_model::{EndpointId, LaunchId, PatientId, RegistrationId, Secret, TenantId};
use sallyport_registry::Endpoint;
use serde_json::Value;
use url::Url;

use crate::{
    certify::asking::Door,
    check,
    cli::AskerArgs,
    compose::{self, DEFAULT_DATA_DIR},
    config,
    demo::browser::Page,
    ready::Ready,
};
use front_door::FrontDoor;
use look_door::LookDoor;

/// An endpoint, and a way of asking it.
pub(crate) struct Asker {
    pub(crate) door: AnyDoor,
    /// The FHIR API's own address, with a slash at its end.
    pub(crate) base: Url,
    /// About whom it may ask; never empty.
    pub(crate) patients: Vec<PatientId>,
    pub(crate) endpoint: Endpoint,
    /// The launch behind it, where there is one.
    pub(crate) launch: Option<LaunchId>,
}

/// One of the two ways.
pub(crate) enum AnyDoor {
    /// A person's session.
    Launch(Box<FrontDoor>),
    /// The endpoint's own grant.
    Look(Box<LookDoor>),
}

impl Door for AnyDoor {
    async fn get(&mut self, url: &Url) -> anyhow::Result<Page> {
        match self {
            Self::Launch(door) => door.get(url).await,
            Self::Look(door) => door.get(url).await,
        }
    }
}

impl Asker {
    /// Opens the way that the arguments say.
    ///
    /// # Errors
    /// When there is no such endpoint, the launch is not open or is one at another endpoint, or nobody said how the endpoint is looked at.
    pub(crate) async fn open(args: &AskerArgs, tenant: &str, endpoint: &str) -> anyhow::Result<Self> {
        let config = config::load(args.place.config.as_deref())?;
        let folder = args.place.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
        let running = Ready::read(&Ready::path_in(&folder)).ok();
        // An instance with a sandbox of its own knows one tenant more than its files say.
        let registry = match running.as_ref().map(|ready| ready.ehr.as_str()).filter(|ehr| !ehr.is_empty()) {
            Some(ehr) => compose::registry(&config, &folder, Some(ehr))?,
            None => check::tenants(&config, &args.place)?,
        };
        let tenant = TenantId::parse(tenant).context("that is not a tenant's id")?;
        let id = EndpointId::parse(endpoint).context("that is not an endpoint's id")?;
        let endpoint = registry
            .endpoint(&tenant, &id)
            .with_context(|| format!("there is no endpoint {id} of tenant {tenant} in the tenants' files"))?
            .clone();
        if args.backend {
            let look = endpoint.look.clone().with_context(|| {
                format!("endpoint {id} has no [endpoint.look]: name a backend registration, its feature and test patients")
            })?;
            let door = LookDoor::reach(args, &tenant, &id).await?;
            let (base, patients) = (Url::parse(look_door::BASE)?, look.patients);
            return Ok(Self { door: AnyDoor::Look(Box::new(door)), base, patients, endpoint, launch: None });
        }
        let (Some(launch), Some(cookie_file)) = (&args.launch, &args.cookie_file) else {
            bail!(
                "say whose record: --launch with --cookie-file, or --backend for the endpoint's test patients"
            );
        };
        let launch = LaunchId::parse(launch).context("that is not a launch's handle")?;
        let cookie = std::fs::read_to_string(cookie_file)
            .with_context(|| format!("cannot read {}", cookie_file.display()))?;
        let app = args.app.clone().or(running.map(|ready| ready.app)).unwrap_or(config.server.public_url);
        let app = Url::parse(&app).context("say with --app where the app is reached")?;
        let mut door = FrontDoor::new(&app, launch, &Secret::new(cookie.trim().to_owned()))?;
        let session = door.get(&app.join(&format!("/session/{launch}"))?).await?;
        ensure!(session.status == 200, "the launch is not open (status {}): launch again", session.status);
        let session = session.json()?;
        // What is read is the launch's EHR, whatever the arguments say: one that is not of the named endpoint would have
        // that one certified by another's answers.
        let of =
            session.get("registration").and_then(Value::as_str).and_then(|id| RegistrationId::parse(id).ok());
        let of = of.and_then(|of| registry.registration(&of)).map(|of| (&of.tenant.id, &of.endpoint.id));
        ensure!(of == Some((&tenant, &id)), "the launch is not one at endpoint {id} of tenant {tenant}");
        let patient = session.pointer("/tokenResponse/patient").and_then(Value::as_str);
        let patient = patient.and_then(|id| PatientId::parse(id).ok());
        let patients = vec![patient.context("the launch has no patient in context")?];
        let base = app.join(&format!("/fhir/{launch}/"))?;
        Ok(Self { door: AnyDoor::Launch(Box::new(door)), base, patients, endpoint, launch: Some(launch) })
    }

    /// Turns to one of its patients.
    pub(crate) fn turn_to(&mut self, patient: &PatientId) {
        if let AnyDoor::Look(door) = &mut self.door {
            door.turn_to(patient);
        }
    }
}
