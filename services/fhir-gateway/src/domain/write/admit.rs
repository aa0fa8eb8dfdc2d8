//! The check on the way in: who may write what about whom, and the ledger's entry of it.

use std::sync::Arc;

use sallyport_fhir::{
    Envelope, ResourceType,
    compartment::{Verdict, verdict},
    write,
};
use sallyport_model::{AccessContext, Code, Patients, PolicyDecision, RecordId, scope::Verb};
use sallyport_vendors::{Profile, writes::Trust};

use super::{
    super::{
        admit::covered, context, launch_limits::Permit, place::Place, recording::Draft, release::labels_of,
    },
    Request,
    sealing::Intent,
};
use crate::{
    Gateway,
    error::Refusal,
    store::{Aim, NewWrite},
};
use sallyport_resilience::Priority;

/// A write that may be made.
pub(super) struct Approved {
    pub(super) access: AccessContext,
    pub(super) place: Arc<Place>,
    pub(super) profile: Arc<Profile>,
    /// What is sent: what was approved, with our identifier where it is new.
    pub(super) body: String,
    pub(super) entry: NewWrite,
    _permit: Permit,
}

/// Checks a write.
pub(super) async fn admit(
    gateway: &Gateway,
    request: &Request<'_>,
    draft: &mut Draft,
) -> Result<Approved, Refusal> {
    let session = request.session;
    let entry = context::entry(&gateway.registry, session)?;
    let feature = context::feature(&entry, Some(request.feature))?;
    let access = context::build_for_write(session, feature, &entry)?;
    draft.access(&access);
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    let profile = entry.endpoint.behaviour.now(gateway.clock.now())?;
    let resource_type = request.destination.resource_type;
    offered(profile, request)?;
    let verb = if request.destination.id.is_some() { Verb::Update } else { Verb::Create };
    let mut constraints = covered(&access, &access.granted, resource_type, verb)?;
    if *profile.writes.read_scope_needed {
        constraints.extend(covered(&access, &access.granted, resource_type, Verb::Read)?);
    }
    let envelope =
        write::envelope(request.payload.as_bytes(), gateway.config.max_write_bytes).map_err(|fault| {
            match fault {
                sallyport_fhir::Fault::TooLarge => Refusal::new(Code::BodyTooLarge),
                _ => Refusal::because(
                    Code::WritePayloadInvalid,
                    "the body is not a resource that can be read in one way",
                ),
            }
        })?;
    shape(&envelope, request)?;
    of_the_patient(&envelope, &access, place)?;
    let satisfies =
        |any_of: &super::super::admit::AnyOf| any_of.iter().any(|constraint| envelope.satisfies(constraint));
    if !constraints.iter().all(satisfies) {
        return Err(Code::ScopeDenied.into());
    }
    let labels = labels_of(std::iter::once(&envelope));
    let named: Vec<&str> = labels.iter().map(String::as_str).collect();
    let decision = entry.tenant.policy.decide(access.purpose, resource_type.as_str(), &named);
    draft.decision(&decision);
    draft.labels(labels.clone());
    if matches!(decision, PolicyDecision::Deny(_)) {
        return Err(Code::PolicyDenied.into());
    }
    let entry = entered(gateway, request, &access).await?;
    let body = match request.destination.id {
        Some(_) => request.payload.to_owned(),
        None => {
            write::identified(request.payload, resource_type, &entry.dedup_key).ok_or(Refusal::because(
                Code::WritePayloadInvalid,
                "an identifier of ours cannot be added to those of the record",
            ))?
        }
    };
    let permit = gateway.enter(session.into(), place, Priority::Interactive, request.deadline).await?;
    let (place, profile) = (Arc::clone(place), Arc::clone(profile));
    Ok(Approved { access, place, profile, body, entry, _permit: permit })
}

/// Whether the EHR's product takes this kind of write: what is not known to be taken is not tried on a patient's record.
fn offered(profile: &Profile, request: &Request<'_>) -> Result<(), Refusal> {
    let types =
        if request.destination.id.is_some() { &profile.writes.updates } else { &profile.writes.creates };
    let is_listed = types.iter().any(|name| name == request.destination.resource_type.as_str());
    if is_listed && *profile.writes.trust != Trust::None { Ok(()) } else { Err(Code::WriteNotOffered.into()) }
}

/// Type, id and version are those of the address.
fn shape(envelope: &Envelope<'_>, request: &Request<'_>) -> Result<(), Refusal> {
    let invalid = |what| Err(Refusal::because(Code::WritePayloadInvalid, what));
    if envelope.resource_type != Some(request.destination.resource_type) {
        return invalid("the record is not of the address's type");
    }
    match (&request.destination.id, envelope.id.as_deref()) {
        (None, None) => Ok(()),
        (None, Some(_)) => invalid("a new record has no id yet"),
        (Some(id), Some(named)) if id.expose() == named => match request.base_version.as_deref() {
            None | Some("") => Err(Code::WriteBaseMissing.into()),
            Some(version) if is_version(version) => Ok(()),
            Some(_) => invalid("the version is not one"),
        },
        (Some(_), _) => invalid("the record's id is not the address's"),
    }
}

/// What fits into an `ETag` without ending it.
fn is_version(text: &str) -> bool {
    text.len() <= 256
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'|' | b'/' | b'='))
}

/// The launch's patient and nobody else, wherever in the record a patient is named.
fn of_the_patient(envelope: &Envelope<'_>, access: &AccessContext, place: &Place) -> Result<(), Refusal> {
    if sallyport_model::planted!("write-foreign-subject") {
        return Ok(());
    }
    let Patients::One(_) = access.patients else {
        return Err(Refusal::because(Code::PatientDenied, "this launch has no patient in context"));
    };
    let names_another = envelope
        .refers_to(&place.base)
        .any(|(kind, id)| kind == ResourceType::Patient && !access.patients.covers(id));
    match verdict(envelope, &access.patients, &place.base) {
        Verdict::Ours if !names_another => Ok(()),
        _ => {
            Err(Refusal::because(Code::PatientDenied, "the record is not about this launch's patient alone"))
        }
    }
}

/// The ledger's entry. Its key is bound to who it is about, what is written byte for byte, what it is based on, and the
/// proposal or the session that it comes from.
async fn entered(
    gateway: &Gateway,
    request: &Request<'_>,
    access: &AccessContext,
) -> Result<NewWrite, Refusal> {
    let session = request.session;
    let key = gateway.write_keys.current(&session.tenant).await?;
    let Patients::One(patient) = &access.patients else { return Err(Code::PatientDenied.into()) };
    let (operation, kind) = (request.destination.name(), request.destination.resource_type.as_str());
    let target = request.destination.id.as_ref().map_or("", |id| id.expose());
    let base_version = request.base_version.clone().unwrap_or_default();
    let endpoint = session.endpoint.as_str();
    let payload =
        if sallyport_model::planted!("write-payload-unbound") { "" } else { request.payload }.as_bytes();
    let payload_hash =
        key.index("payload", &[endpoint.as_bytes(), kind.as_bytes(), target.as_bytes(), payload]);
    let patient_index = key.index("patient", &[endpoint.as_bytes(), patient.expose().as_bytes()]);
    let origin = match request.proposal {
        Some(proposal) => format!("proposal {proposal}"),
        None => format!("launch {}", session.launch),
    };
    let id = RecordId::new(gateway.clock.as_ref()).uuid();
    let bound: [&[u8]; 6] = [
        endpoint.as_bytes(),
        origin.as_bytes(),
        &patient_index,
        &payload_hash,
        base_version.as_bytes(),
        operation.as_bytes(),
    ];
    let dedup = if sallyport_model::planted!("write-without-key") {
        key.index("write", &[id.as_bytes()])
    } else {
        key.index("write", &bound)
    };
    let intent = Intent {
        patient: patient.expose().to_owned(),
        id: request.destination.id.as_ref().map(|id| id.expose().to_owned()),
        payload: request.payload.to_owned(),
        user_issuer: session.user.issuer.clone(),
        user_subject: session.user.subject.clone(),
        fhir_user: session.user.fhir_user.clone(),
        granted_scope: session.granted_scope.clone(),
    };
    Ok(NewWrite {
        id,
        tenant: session.tenant.clone(),
        endpoint: session.endpoint.clone(),
        registration: session.registration.clone(),
        launch: session.launch,
        grant: session.grant,
        feature: access.feature.clone(),
        proposal: request.proposal,
        aim: Aim {
            operation: operation.to_owned(),
            resource_type: kind.to_owned(),
            payload_hash,
            base_version,
            patient_index,
        },
        dedup_key: dedup.iter().map(|byte| format!("{byte:02x}")).collect(),
        data_key: key.id,
        intent_sealed: key.seal(id, "intent", &intent)?,
        lease: gateway.config.write_lease_micros(),
        now: gateway.clock.now(),
    })
}
