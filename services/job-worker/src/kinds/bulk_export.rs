//! `bulk-export`: the EHR prepares files, which are fetched line by line through the gateway into sealed frames on disk
//! (FHIR Bulk Data Access).
//!
//! One item, from kick-off to DELETE; the rows say how far it is. Each frame is appended and synced, then committed with the
//! place where its source goes on, so that a worker that is killed reads again one frame at most (invariant 9). Where frames
//! are cut depends on the content alone: an export that was killed twenty times has the content hash of one that was not.

mod fetching;
pub(crate) mod forgetting;
mod frame_file;
mod framing;
mod manifest;
mod options;

use std::{path::PathBuf, sync::Arc};

use sallyport_keyring::DataKey;
use sallyport_model::{Code, PatientId, RunId, Secret};
use sallyport_proto::gateway::v1::{KickOff, call_request::Interaction, call_response::Outcome};
use sallyport_registry::{Cohort, Endpoint, Feature, Job};

use self::options::Options;
use super::{Done, Fault, Foreseen, Item, Kind, Plan, cohort};
use crate::{
    batch::Batch,
    gateway::{Gateway, Whose},
    halt::{Halt, Wait},
    run::Run,
    store::{self, ExportRow, NewExport},
};

/// The kind.
pub(crate) struct BulkExport;

/// So often in a row the EHR may say that an export has failed for now.
const FAILURES_MOST: i64 = 5;

/// The pause after such a word, in microseconds.
const FAILURE_PAUSE: i64 = 60_000_000;

#[async_trait::async_trait]
impl Kind for BulkExport {
    fn check(&self, job: &Job, feature: &Feature, _endpoint: &Endpoint) -> Result<(), String> {
        let options = Options::read(job)?;
        if job.stage_limit().is_some() && matches!(job.cohort, Cohort::Group(_) | Cohort::Everyone) {
            return Err("is at stage pilot, and an export of a group cannot be kept to some of its patients: list them".to_owned());
        }
        let scopes = feature.scopes();
        let covers = |name: &&String| {
            let levels = [sallyport_model::scope::Level::System, sallyport_model::scope::Level::User];
            scopes.coverage(&levels, name, sallyport_model::scope::Verb::Read)
                != sallyport_model::scope::Coverage::None
        };
        match options.types.iter().find(|name| !covers(name)) {
            Some(name) => Err(format!("exports {name}, which feature {} does not read", feature.id)),
            None => Ok(()),
        }
    }

    async fn foresee(&self, run: &Run) -> Result<Foreseen, Fault> {
        let options =
            Options::read(&run.job).map_err(|_checked_at_load| Fault::Item(Code::RequestInvalid))?;
        let files = i64::try_from(options.types.len()).unwrap_or(i64::MAX);
        // A kick-off, a status, a file of each type at least, and the end of it.
        Ok(Foreseen { items: 1, calls: files.saturating_add(3) })
    }

    async fn plan(&self, _run: &Run, _gateway: &Gateway) -> Result<Plan, Fault> {
        Ok(Plan { items: vec![Item::new(b"export")] })
    }

    async fn item(&self, batch: &mut Batch, _item: &Item) -> Result<Done, Fault> {
        let options =
            Options::read(&batch.run().job).map_err(|_checked| Fault::Item(Code::RequestInvalid))?;
        let cohort = For::of(&batch.run().job).await?;
        let run = batch.run_id();
        loop {
            batch.go_on()?;
            let Some(row) = batch.store().export(run).await.map_err(Halt::from)? else {
                kick_off(batch, &cohort, &options).await?;
                continue;
            };
            match row.state.as_str() {
                "asked" => poll(batch, &cohort, &row).await?,
                "fetching" => {
                    let export = Export::open(batch, row, cohort.clone()).await?;
                    fetching::all(batch, &export).await?;
                }
                _ended => return end(batch, &cohort, &row).await,
            }
        }
    }
}

/// Whom the export is for.
#[derive(Clone)]
pub(crate) enum For {
    Patients(Vec<PatientId>),
    Group(String),
    Everyone,
}

impl For {
    async fn of(job: &Job) -> Result<Self, Fault> {
        Ok(match &job.cohort {
            Cohort::Group(id) => Self::Group(id.clone()),
            Cohort::Everyone => Self::Everyone,
            Cohort::Patients(_) | Cohort::File(_) => Self::Patients(cohort::patients(job).await?),
        })
    }

    pub(crate) fn whose(&self) -> Whose<'_> {
        match self {
            Self::Patients(patients) => Whose::Patients(patients),
            Self::Group(id) => Whose::Group(id),
            Self::Everyone => Whose::Everyone,
        }
    }
}

/// An export whose files are fetched.
pub(crate) struct Export {
    pub(crate) run: RunId,
    pub(crate) cohort: For,
    pub(crate) status: String,
    /// Opens and seals the frames.
    pub(crate) key: Arc<DataKey>,
    pub(crate) is_compressed: bool,
    pub(crate) folder: PathBuf,
}

impl Export {
    async fn open(batch: &Batch, row: ExportRow, cohort: For) -> Result<Self, Fault> {
        let run = batch.run_id();
        let id = run.uuid();
        let place = (&id.as_bytes()[..], "export-key");
        let key: Secret<Vec<u8>> = batch.open(row.data_key_id, place, &row.key_sealed).await?;
        let key = Arc::new(DataKey::from_secret(key).map_err(|_length| Fault::Item(Code::Internal))?);
        let folder = folder(batch);
        Ok(Self { run, cohort, status: row.status, key, is_compressed: row.is_compressed, folder })
    }
}

/// Where a run's files are.
fn folder(batch: &Batch) -> PathBuf {
    batch.parts.exports.join(batch.run().tenant.as_str()).join(batch.run_id().uuid().to_string())
}

async fn kick_off(batch: &mut Batch, cohort: &For, options: &Options) -> Result<(), Fault> {
    let (tenant, job) = (batch.run().tenant.as_str().to_owned(), batch.run().job_id.as_str().to_owned());
    let bulk = &batch.run().endpoint.behaviour.known().bulk;
    let mut since = String::new();
    if options.incremental && *bulk.since {
        let last = batch.store().last_transaction_time(&tenant, &job).await.map_err(Halt::from)?;
        since = last.unwrap_or_default();
    }
    let asked = KickOff {
        types: options.types.clone(),
        since: since.clone(),
        type_filters: options.type_filters.clone(),
    };
    let outcome = batch.gateway().call(cohort.whose(), Interaction::KickOff(asked)).await?;
    let Outcome::Accepted(accepted) = outcome else { return Err(Fault::Item(Code::BulkInvalid)) };
    let run = batch.run_id();
    let key = DataKey::generate();
    let now = batch.now();
    let keep = i64::from(batch.run().job.keep_days) * 86_400 * 1_000_000;
    let endpoint = batch.run().endpoint_id().as_str().to_owned();
    let new = NewExport {
        run,
        tenant: &tenant,
        endpoint: &endpoint,
        job: &job,
        status: &accepted.status,
        since: &since,
        key: batch.seal((&run.uuid().as_bytes()[..], "export-key"), key.expose().expose()),
        is_compressed: options.compress,
        started_at: now,
        expires_at: now.saturating_add(keep),
    };
    let mut effects = batch.begin().await?;
    store::begin_export(effects.tx(), &new).await.map_err(Halt::from)?;
    Ok(batch.save(effects, b"asked").await?)
}

async fn poll(batch: &mut Batch, cohort: &For, row: &ExportRow) -> Result<(), Fault> {
    let outcome = batch.gateway().call(cohort.whose(), Interaction::Poll(row.status.clone())).await?;
    match outcome {
        Outcome::Running(running) => {
            Err(Halt::Later { not_before: running.not_before, why: Wait::Polling }.into())
        }
        Outcome::Manifest(found) => {
            let parts = manifest::parts(batch, cohort, found).await?;
            manifest::keep(batch, &parts, "fetching").await
        }
        Outcome::Failed(failed) if failed.is_transient && row.failures < FAILURES_MOST => {
            let mut effects = batch.begin().await?;
            store::export_failed_once(effects.tx(), batch.run_id(), &failed.code)
                .await
                .map_err(Halt::from)?;
            batch.save(effects, b"asked").await?;
            Err(Halt::Later { not_before: batch.now() + FAILURE_PAUSE, why: Wait::Polling }.into())
        }
        Outcome::Failed(failed) => {
            let mut effects = batch.begin().await?;
            let (run, now) = (batch.run_id(), batch.now());
            store::end_export(effects.tx(), run, ("failed", &failed.code), None, now)
                .await
                .map_err(Halt::from)?;
            Ok(batch.save(effects, b"failed").await?)
        }
        _ => Err(Fault::Item(Code::BulkInvalid)),
    }
}

/// What every export ends with, however it went: the EHR is told that it can let go of it (BULK-15).
async fn end(batch: &mut Batch, cohort: &For, row: &ExportRow) -> Result<Done, Fault> {
    match batch.gateway().call(cohort.whose(), Interaction::Delete(row.status.clone())).await {
        // An EHR that does not take it has had its chance; what we have is not worth less for it.
        Ok(_) | Err(Fault::Item(_)) => {}
        Err(halt) => return Err(halt),
    }
    if row.state == "failed" {
        return Err(Fault::Item(Code::parse(&row.code).unwrap_or(Code::BulkExportFailed)));
    }
    Ok(batch.begin().await?.into())
}
