//! A job's run as its worker speaks for it.

use sallyport_model::{Clock, GrantId, RecordId};
use sallyport_proto::{
    convert,
    gateway::v1::{
        CallRequest, CallResponse, Cohort, Everyone, FetchBulkFileRequest, FetchBulkFileResponse, KickOff,
        Parameter, PatientList, Read, RunAuthority, Search, call_request::Interaction,
        call_response::Outcome, cohort::Whose, fetch_bulk_file_response::Item,
    },
    types::v1::{Actor, User, actor},
};
use sallyport_rpc::code_of;
use tonic::Status;

use crate::{owners::GrantOf, world::World};

/// What the vault says that a service was granted.
pub(crate) const SERVICE_SCOPES: &str = "system/Patient.rs system/Condition.rs system/Observation.rs";
/// What the vault says that a person granted for use without them.
pub(crate) const OFFLINE_SCOPES: &str =
    "offline_access openid patient/Patient.rs patient/Condition.rs patient/Observation.rs";

/// An answer's outcome, or the stable code of its status.
pub(crate) type Told = Result<Outcome, &'static str>;

/// A file as it came: bytes that were released, what else was told, and how it ended.
#[derive(Default)]
pub(crate) struct Fetched {
    pub(crate) items: Vec<Item>,
    pub(crate) ended: Option<&'static str>,
}

pub(crate) fn one(patient: &str) -> Whose {
    Whose::Patient(patient.to_owned())
}

pub(crate) fn cohort(patients: &[&str]) -> Whose {
    Whose::Patients(PatientList { ids: patients.iter().map(|id| (*id).to_owned()).collect() })
}

pub(crate) fn group(id: &str) -> Whose {
    Whose::Group(id.to_owned())
}

pub(crate) fn everyone() -> Whose {
    Whose::Everyone(Everyone {})
}

impl World {
    /// The authority of a new run of a service, with a grant to match.
    pub(crate) fn service_run(&self, whose: Whose) -> RunAuthority {
        *self.owners.grant_of.lock().unwrap() =
            GrantOf { endpoint: "main".into(), registration: "service".into(), is_service: true };
        SERVICE_SCOPES.clone_into(&mut self.owners.token_scope.lock().unwrap());
        let id = || convert::id_bytes(RecordId::new(self.clock.as_ref()).uuid());
        RunAuthority {
            tenant: "general".into(),
            endpoint: "main".into(),
            registration: "service".into(),
            job: "nightly".into(),
            run_id: id(),
            batch_id: id(),
            feature: "population-report".into(),
            purpose: "HOPERAT".into(),
            grant_id: convert::id_bytes(GrantId::new(self.clock.as_ref()).uuid()),
            actor: Some(Actor { kind: Some(actor::Kind::Service("service".into())) }),
            cohort: Some(Cohort { whose: Some(whose) }),
            pinned_scope: SERVICE_SCOPES.into(),
            expires_at: self.clock.now() + 3_600_000_000,
        }
    }

    /// The authority of a new run on a person's offline grant.
    pub(crate) fn offline_run(&self, whose: Whose) -> RunAuthority {
        let run = self.service_run(whose);
        *self.owners.grant_of.lock().unwrap() =
            GrantOf { endpoint: "main".into(), registration: "offline".into(), is_service: false };
        OFFLINE_SCOPES.clone_into(&mut self.owners.token_scope.lock().unwrap());
        let user = User { issuer: "https://ehr.example".into(), subject: "u-1".into(), ..User::default() };
        RunAuthority {
            registration: "offline".into(),
            feature: "care-gap-alerting".into(),
            purpose: "TREAT".into(),
            actor: Some(Actor { kind: Some(actor::Kind::User(user)) }),
            pinned_scope: OFFLINE_SCOPES.into(),
            ..run
        }
    }

    pub(crate) async fn run_call(&self, run: &RunAuthority, interaction: Interaction) -> Told {
        let request = CallRequest { authority: Some(run.clone()), interaction: Some(interaction) };
        let answer = self.job_worker().call(request).await.map(tonic::Response::into_inner);
        let answer: Result<CallResponse, Status> = answer;
        answer.map(|answer| answer.outcome.unwrap()).map_err(|status| code_of(&status).as_str())
    }

    pub(crate) async fn run_search(&self, run: &RunAuthority, of: &str, query: &[(&str, &str)]) -> Told {
        let parameter =
            |(name, value): &(&str, &str)| Parameter { name: (*name).to_owned(), value: (*value).to_owned() };
        let parameters = query.iter().map(parameter).collect();
        let search = Search { resource_type: of.to_owned(), parameters, by_post: false };
        self.run_call(run, Interaction::Search(search)).await
    }

    pub(crate) async fn run_read(&self, run: &RunAuthority, of: &str, id: &str) -> Told {
        let read = Read { resource_type: of.to_owned(), id: id.to_owned() };
        self.run_call(run, Interaction::Read(read)).await
    }

    pub(crate) async fn kick_off(&self, run: &RunAuthority, types: &[&str]) -> Told {
        let types = types.iter().map(|name| (*name).to_owned()).collect();
        self.run_call(run, Interaction::KickOff(KickOff { types, ..KickOff::default() })).await
    }

    /// Begins to fetch a file.
    pub(crate) async fn begin_fetch(
        &self,
        run: &RunAuthority,
        file: &str,
    ) -> tonic::Streaming<FetchBulkFileResponse> {
        let (authority, file) = (Some(run.clone()), file.to_owned());
        let request = FetchBulkFileRequest { authority, file, ..FetchBulkFileRequest::default() };
        self.job_worker().fetch_bulk_file(request).await.unwrap().into_inner()
    }

    /// Fetches a file from `offset` on, to the end or the first error.
    pub(crate) async fn fetch(&self, run: &RunAuthority, file: &str, offset: i64, etag: &str) -> Fetched {
        let (authority, file, etag) = (Some(run.clone()), file.to_owned(), etag.to_owned());
        let request = FetchBulkFileRequest { authority, file, offset, etag };
        let mut fetched = Fetched::default();
        let mut stream = match self.job_worker().fetch_bulk_file(request).await {
            Ok(stream) => stream.into_inner(),
            Err(status) => {
                fetched.ended = Some(code_of(&status).as_str());
                return fetched;
            }
        };
        loop {
            match stream.message().await {
                Ok(Some(FetchBulkFileResponse { item })) => fetched.items.push(item.unwrap()),
                Ok(None) => return fetched,
                Err(status) => {
                    fetched.ended = Some(code_of(&status).as_str());
                    return fetched;
                }
            }
        }
    }
}

impl Fetched {
    /// The released lines.
    pub(crate) fn text(&self) -> String {
        let lines = self.items.iter().filter_map(|item| match item {
            Item::Lines(lines) => Some(lines.data.to_vec()),
            _ => None,
        });
        String::from_utf8(lines.flatten().collect()).unwrap()
    }

    /// Place and code of what was withheld.
    pub(crate) fn withheld(&self) -> Vec<(i64, &str)> {
        let withheld = self.items.iter().filter_map(|item| match item {
            Item::Withheld(line) => Some((line.offset, line.code.as_str())),
            _ => None,
        });
        withheld.collect()
    }

    /// How far the messages go without a gap from `start`.
    pub(crate) fn reach(&self, start: i64) -> i64 {
        let mut at = start;
        for item in &self.items {
            let (offset, length) = match item {
                Item::Lines(lines) => (lines.offset, i64::try_from(lines.data.len()).unwrap()),
                Item::Withheld(line) => (line.offset, line.length),
                Item::Remark(line) => (line.offset, line.length),
                Item::Deletions(line) => (line.offset, line.length),
                _ => continue,
            };
            assert_eq!(offset, at, "a gap");
            at += length;
        }
        at
    }
}
