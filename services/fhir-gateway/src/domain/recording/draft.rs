//! A record in the making: what is known of a call so far.

use sallyport_clinical::Mapping;
use sallyport_fhir::{Destination, Interaction};
use sallyport_model::{
    AccessContext, Actor, Authority, Code, LaunchId, Micros, Patients, PolicyDecision, RegistrationId,
    RequestId, TenantId,
};
use sallyport_proto::{
    audit::v1::{Kind, Record},
    convert,
    types::v1 as pb,
};

use crate::domain::{
    holder::Holder,
    run::{Run, Whose},
    session::Session,
};

/// Most patients that one record names.
const MAX_PATIENTS: usize = 1_000;

/// A record in the making.
pub(crate) struct Draft {
    pub(super) record: Record,
    pub(super) started: Micros,
}

impl Draft {
    /// What is known of a call as soon as its session is.
    pub(crate) fn new(session: &Session, request: RequestId, now: Micros) -> Self {
        let record = Record {
            kind: Kind::FhirCall.into(),
            tenant: session.tenant.as_str().to_owned(),
            endpoint: session.endpoint.as_str().to_owned(),
            registration: session.registration.as_str().to_owned(),
            actor: Some(pb::Actor { kind: Some(pb::actor::Kind::User((&session.user).into())) }),
            patients: session.patient.iter().map(|p| p.expose().to_owned()).collect(),
            encounter: session.encounter.as_ref().map(|e| e.expose().to_owned()).unwrap_or_default(),
            request_id: convert::id_bytes(request.uuid()),
            launch_id: convert::id_bytes(session.launch.uuid()),
            grant_id: convert::id_bytes(session.grant.uuid()),
            granted_scope: session.granted_scope.clone(),
            ..Record::default()
        };
        Self { record, started: now }
    }

    /// What is known of a run's call.
    pub(crate) fn of_run(run: &Run, request: RequestId, now: Micros) -> Self {
        let patients = match &run.whose {
            Whose::Patients(Patients::One(patient)) => vec![patient.expose().to_owned()],
            // Which of them a call is about, the interaction says.
            Whose::Patients(_) | Whose::Group(_) | Whose::Everyone => Vec::new(),
        };
        let record = Record {
            kind: Kind::FhirCall.into(),
            tenant: run.tenant.as_str().to_owned(),
            endpoint: run.endpoint.as_str().to_owned(),
            registration: run.registration.as_str().to_owned(),
            actor: Some((&run.actor).into()),
            patients,
            feature: run.feature.as_str().to_owned(),
            purpose: run.purpose.as_str().to_owned(),
            request_id: convert::id_bytes(request.uuid()),
            grant_id: convert::id_bytes(run.grant.uuid()),
            granted_scope: run.pinned_scope.clone(),
            job: run.job.clone(),
            run_id: convert::id_bytes(run.id),
            detail: run.look.clone().unwrap_or_default(),
            ..Record::default()
        };
        Self { record, started: now }
    }

    /// What is known of whoever holds the authority.
    pub(crate) fn of(holder: Holder<'_>, request: RequestId, now: Micros) -> Self {
        match holder {
            Holder::Session(session) => Self::new(session, request, now),
            Holder::Run(run) => Self::of_run(run, request, now),
        }
    }

    /// What is known of a message whose authority does not hold together: only names that the tenants' files know.
    pub(crate) fn of_nobody(tenant: Option<&TenantId>, run: &[u8], request: RequestId, now: Micros) -> Self {
        let record = Record {
            kind: Kind::FhirCall.into(),
            tenant: tenant.unwrap_or(&TenantId::system()).as_str().to_owned(),
            actor: Some(convert::anonymous()),
            request_id: convert::id_bytes(request.uuid()),
            run_id: if run.len() == 16 { run.to_vec() } else { Vec::new() },
            ..Record::default()
        };
        Self { record, started: now }
    }

    /// Names what is done where it is no FHIR interaction.
    pub(crate) fn export(&mut self, interaction: &str, types: impl IntoIterator<Item = String>) {
        interaction.clone_into(&mut self.record.interaction);
        self.record.resource_types = types.into_iter().collect();
    }

    /// Adds types that the call turned out to be about.
    pub(crate) fn add_types(&mut self, types: impl IntoIterator<Item = String>) {
        self.record.resource_types.extend(types);
    }

    /// Adds patients whom the call is about, up to as many as a record takes.
    pub(crate) fn patients(&mut self, patients: impl Iterator<Item = String>) {
        for patient in patients {
            if self.record.patients.len() >= MAX_PATIENTS {
                self.remark("more patients than a record names");
                return;
            }
            self.record.patients.push(patient);
        }
    }

    /// What is known of a call that an earlier approval stands behind, with no session at hand.
    pub(crate) fn of_access(
        access: &AccessContext,
        registration: &RegistrationId,
        request: RequestId,
        now: Micros,
    ) -> Self {
        let patients = match &access.patients {
            Patients::One(patient) => vec![patient.expose().to_owned()],
            Patients::Cohort(_) | Patients::None => Vec::new(),
        };
        let actor = match &access.actor {
            Actor::User(user) => pb::actor::Kind::User(user.into()),
            Actor::Service(service) => pb::actor::Kind::Service(service.as_str().to_owned()),
        };
        let launch = match access.authority {
            Authority::Launch(launch) => convert::id_bytes(launch.uuid()),
            Authority::Run(_) => Vec::new(),
        };
        let record = Record {
            kind: Kind::FhirCall.into(),
            tenant: access.tenant.as_str().to_owned(),
            endpoint: access.endpoint.as_str().to_owned(),
            registration: registration.as_str().to_owned(),
            actor: Some(pb::Actor { kind: Some(actor) }),
            patients,
            request_id: convert::id_bytes(request.uuid()),
            launch_id: launch,
            grant_id: convert::id_bytes(access.grant.uuid()),
            ..Record::default()
        };
        let mut draft = Self { record, started: now };
        draft.access(access);
        draft
    }

    /// What is known when there is no session: a cookie that opens nothing.
    pub(crate) fn without_session(launch: LaunchId, request: RequestId, now: Micros) -> Self {
        let record = Record {
            kind: Kind::FhirCall.into(),
            tenant: TenantId::system().as_str().to_owned(),
            actor: Some(convert::anonymous()),
            request_id: convert::id_bytes(request.uuid()),
            launch_id: convert::id_bytes(launch.uuid()),
            ..Record::default()
        };
        Self { record, started: now }
    }

    /// Adds the interaction: type, id of a read, names of parameters without their values.
    pub(crate) fn interaction(&mut self, interaction: &Interaction) {
        self.record.interaction = interaction.name().to_owned();
        self.record.resource_types =
            interaction.resource_type().map(|t| t.as_str().to_owned()).into_iter().collect();
        match interaction {
            Interaction::Read { id, .. } | Interaction::VRead { id, .. } => {
                id.expose().clone_into(&mut self.record.resource_id);
            }
            Interaction::Search(search) => {
                self.record.parameters = search.params.iter().map(|p| p.name.to_owned()).collect();
            }
            Interaction::Capabilities | Interaction::Page { .. } => {}
        }
    }

    /// Adds a write: what is written to, never what is written.
    pub(crate) fn write(&mut self, destination: &Destination) {
        destination.name().clone_into(&mut self.record.interaction);
        self.record.resource_types = vec![destination.resource_type.as_str().to_owned()];
        if let Some(id) = &destination.id {
            id.expose().clone_into(&mut self.record.resource_id);
        }
    }

    /// Adds the type of a page, which is known once its handle is open.
    pub(crate) fn resource_type(&mut self, resource_type: Option<sallyport_fhir::ResourceType>) {
        if let Some(resource_type) = resource_type {
            self.record.resource_types = vec![resource_type.as_str().to_owned()];
        }
    }

    /// Adds under which feature and why.
    pub(crate) fn access(&mut self, access: &AccessContext) {
        access.feature.as_str().clone_into(&mut self.record.feature);
        access.purpose.as_str().clone_into(&mut self.record.purpose);
    }

    /// Adds what the policy said.
    pub(crate) fn decision(&mut self, decision: &PolicyDecision) {
        self.record.policy_decision = decision.label();
    }

    /// Adds the labels met in the answer.
    pub(crate) fn labels(&mut self, labels: Vec<String>) {
        self.record.security_labels = labels;
    }

    /// Adds by which mapping the answer becomes part of a chart.
    pub(crate) fn mapping(&mut self, mapping: Mapping) {
        self.remark(&format!("mapping {mapping}"));
    }

    /// Adds the names of parameters that the EHR requires and the caller did not give.
    pub(crate) fn added(&mut self, names: &[&'static str]) {
        self.record.parameters.extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// Adds why the answer is not everything.
    pub(crate) fn partial(&mut self, reasons: &[Code]) {
        let reasons: Vec<&str> = reasons.iter().map(|code| code.as_str()).collect();
        self.remark(&reasons.join(" "));
    }

    /// Adds to what there is to say; remarks stand one after the other.
    pub(crate) fn remark(&mut self, text: &str) {
        if !self.record.detail.is_empty() && !text.is_empty() {
            self.record.detail.push_str("; ");
        }
        self.record.detail.push_str(text);
    }

    /// Adds the EHR's own request id.
    pub(crate) fn vendor_request_id(&mut self, id: String) {
        self.record.vendor_request_id = id;
    }
}
