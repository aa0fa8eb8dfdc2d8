//! Job definitions: what runs by itself, for which patients, when, as whom and how fast. They stand in the tenants' files, so
//! that a change is reviewed like any other.

mod check;
mod schedule;
#[cfg(test)]
mod tests;
mod window;

use std::path::PathBuf;

use sallyport_model::{FeatureId, JobId, PatientId, Purpose, RegistrationId};

pub(crate) use check::{Around, job_of};
pub use schedule::{Schedule, Zone};
pub use window::{Closed, Hours};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// Reads patient by patient.
    Crawl,
    /// Bulk Data Access: the EHR prepares files.
    BulkExport,
    /// Applies quality measures.
    CareGapScan,
}

impl JobKind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Crawl, Self::BulkExport, Self::CareGapScan];

    /// The word in files, rows and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crawl => "crawl",
            Self::BulkExport => "bulk-export",
            Self::CareGapScan => "care-gap-scan",
        }
    }
}

/// On whose authority a job reads. A session's token is not among them: it is never used by what nobody is present for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobIdentity {
    /// The registration itself (SMART 2.2 backend-services).
    Backend,
    /// A user's offline grant, named when the run is started. Its revocation stops the run.
    Offline,
}

impl JobIdentity {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Backend, Self::Offline];

    /// The word in files, rows and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Offline => "offline",
        }
    }
}

/// For whom. There is no cohort that is everybody because nothing was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cohort {
    /// These, by their ids at the endpoint.
    Patients(Vec<PatientId>),
    /// Those in a file, one id a line, read when a run starts.
    File(PathBuf),
    /// The members of a FHIR Group, by its id at the endpoint.
    Group(String),
    /// Everybody: written out as `everyone = true`, and only for kinds that have a way of their own to ask for it.
    Everyone,
}

/// How far a job is on its way into use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Dry runs, and runs that an operator starts.
    Internal,
    /// Scheduled runs too, over the first patients of the cohort.
    Pilot,
    /// The whole cohort.
    General,
}

impl Stage {
    /// The word in files and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Pilot => "pilot",
            Self::General => "general",
        }
    }
}

/// One job of a tenant.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id within the tenant.
    pub id: JobId,
    /// For people.
    pub title: String,
    /// What it does.
    pub kind: JobKind,
    /// Under which feature every call of it runs.
    pub feature: FeatureId,
    /// As which of our clients, and so at which endpoint.
    pub registration: RegistrationId,
    /// Why data is used; the feature's.
    pub purpose: Purpose,
    /// On whose authority.
    pub identity: JobIdentity,
    /// For whom.
    pub cohort: Cohort,
    /// When it starts by itself.
    pub schedule: Option<Schedule>,
    /// When it may work.
    pub hours: Hours,
    /// How many items make a batch.
    pub batch_size: u32,
    /// How many batches of one run are worked on at a time.
    pub parallel_batches: u32,
    /// Calls to the EHR per minute over all workers, beside the endpoint's own limits; `None`: the endpoint's alone.
    pub calls_per_minute: Option<u32>,
    /// How often an item is tried before it is put into quarantine.
    pub attempts: u32,
    /// How long results are kept, in days.
    pub keep_days: u32,
    /// The job may be used. Off: no run starts, and running ones pause.
    pub is_on: bool,
    /// How far it is on its way into use.
    pub stage: Stage,
    /// At stage pilot: how many patients of the cohort.
    pub pilot_patients: Option<u32>,
    /// What only its kind understands; checked by the kind when a run is planned.
    pub options: toml::Table,
}

impl Job {
    /// How many patients of the cohort the stage allows.
    pub fn stage_limit(&self) -> Option<usize> {
        match self.stage {
            Stage::Pilot => self.pilot_patients.and_then(|n| usize::try_from(n).ok()),
            Stage::Internal | Stage::General => None,
        }
    }

    /// What a run pins: a definition whose pin has changed does not go on with an older run.
    pub fn pin(&self) -> String {
        let cohort = match &self.cohort {
            // The patients were fixed when the run was planned.
            Cohort::Patients(_) => "patients".to_owned(),
            Cohort::File(path) => format!("file {}", path.display()),
            Cohort::Group(id) => format!("group {id}"),
            Cohort::Everyone => "everyone".to_owned(),
        };
        [
            self.kind.as_str(),
            self.feature.as_str(),
            self.registration.as_str(),
            self.purpose.as_str(),
            self.identity.as_str(),
            &cohort,
        ]
        .join("|")
    }
}
