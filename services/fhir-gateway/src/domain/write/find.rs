//! Looking for what may have been written: by our identifier, or by the record that was to be changed. Nothing is sent
//! again before this has found that it is not there.

use std::sync::Arc;

use sallyport_egress::{Instant, Url};
use sallyport_fhir::{
    Bundle, Envelope, Interaction, Limits, Mode, Param, ResourceType, Search, Target,
    compartment::{Verdict, verdict},
    write::{IDENTIFIER_SYSTEM, carries, says_the_same},
};
use sallyport_model::{AccessContext, Code, Patients, PolicyDecision, RequestId, scope::Verb};
use sallyport_resilience::Priority;
use sallyport_vendors::Profile;

use super::{
    super::{
        admit::{Admitted, Expected, covered},
        pager::Trail,
        place::Place,
        recording::{Draft, Tally},
        upstream::{self, Answer, Sent},
    },
    Written, answer, end_turn, in_doubt,
    sealing::{Intent, Outcome, WriteKey},
};
use crate::{
    Gateway,
    error::Refusal,
    store::{End, Finding, State, Write},
};

/// What a look has found.
pub(super) enum Found {
    /// The EHR has it.
    There(Written),
    /// The EHR does not have it. Certain only when nothing of the earlier try can be under way any more, or would be
    /// refused when it came.
    Nowhere { is_certain: bool },
    /// The record that was to be changed was changed by somebody else.
    Changed,
    /// The answer proves nothing.
    Unclear,
}

/// What was seen at the EHR.
pub(super) enum Sight {
    There(Outcome),
    Nowhere,
    Changed,
    Unclear,
}

/// Longest pause between two looks, in microseconds.
const LONGEST_PAUSE: i64 = 900_000_000;

/// Looks for a write.
pub(super) async fn look(
    gateway: &Gateway,
    access: &AccessContext,
    place: &Arc<Place>,
    profile: &Arc<Profile>,
    write: &Write,
    deadline: Instant,
) -> Result<(WriteKey, Sight), Refusal> {
    let key = gateway.write_keys.of_row(&write.tenant, write.data_key).await?;
    let intent: Intent = key.open(write.id, "intent", &write.intent_sealed)?;
    let resource_type = ResourceType::parse(&write.resource_type).ok_or(Code::Internal)?;
    let (interaction, expected, verb) = wanted(&intent, write, resource_type, place, profile)?;
    covered(access, &access.granted, resource_type, verb)?;
    let request_id = RequestId::new(gateway.clock.as_ref());
    let mut draft = Draft::of_access(access, &write.registration, request_id, gateway.clock.now());
    draft.interaction(&interaction);
    let target = Target::of(&interaction).ok_or(Code::Internal)?;
    let admitted = Admitted {
        url: Url::parse(&target.url(&place.fhir_base)).map_err(|_base| Code::Internal)?,
        form: None,
        resource_type: Some(resource_type),
        expected,
        constraints: Vec::new(),
        decision: PolicyDecision::Permit("write-reconciliation".to_owned()),
        profile: Arc::clone(profile),
        added: Vec::new(),
    };
    draft.decision(&admitted.decision);
    let (open, pending) = gateway.recorder.begin(draft)?;
    if let Some(pending) = pending {
        pending.durable().await.map_err(|_error| Code::AuditUnavailable)?;
    }
    let sent = Sent { if_none_match: None, request_id, priority: Priority::Interactive, deadline, run: None };
    let answered = upstream::call(gateway, access, place, &admitted, &sent).await;
    match &answered {
        Ok(answer) => {
            open.close(Ok(Tally { status: 200, upstream_status: answer.status, ..Tally::default() }));
        }
        Err(refusal) => open.close(Err(refusal)),
    }
    let sight = match answered {
        Ok(answer) if intent.id.is_some() => of_update(&answer, write, &intent, access, place),
        Ok(answer) => of_create(&answer, write, resource_type, access, place),
        Err(refusal) => return Err(refusal),
    };
    Ok((key, sight))
}

fn wanted(
    intent: &Intent,
    write: &Write,
    resource_type: ResourceType,
    place: &Place,
    profile: &Profile,
) -> Result<(Interaction, Expected, Verb), Refusal> {
    if let Some(id) = &intent.id {
        let parsed = sallyport_fhir::LogicalId::parse(id, place.max_id_length).ok_or(Code::Internal)?;
        let expected = Expected::Resource { id: id.clone() };
        return Ok((Interaction::Read { resource_type, id: parsed }, expected, Verb::Read));
    }
    let param = |name, value| Param { name, modifier: None, value };
    let identifier = format!("{IDENTIFIER_SYSTEM}|{}", write.dedup_key);
    let params = vec![param("patient", intent.patient.clone()), param("identifier", identifier)];
    let search = Search { resource_type, params, by_post: false };
    // What the product requires is added; what it would refuse to be asked is asked all the same, and proves nothing.
    let search = profile.search.plan(&search).map_or(search, |planned| planned.search);
    let search = Search { by_post: false, ..search };
    let expected = Expected::Searchset { trail: Trail::start(false, false), own_query: String::new() };
    Ok((Interaction::Search(search), expected, Verb::Search))
}

/// Only rows that carry our identifier count. Others mean that the filter was not kept, and then nothing is proven.
fn of_create(
    answer: &Answer,
    write: &Write,
    resource_type: ResourceType,
    access: &AccessContext,
    place: &Place,
) -> Sight {
    let Ok(bundle) = Bundle::parse(&answer.body, &Limits::default()) else { return Sight::Unclear };
    let mut found = None;
    let mut is_whole = !bundle.links.iter().any(|link| link.relation == "next");
    for entry in &bundle.entries {
        let resource = &entry.resource;
        if resource.resource_type == Some(ResourceType::OperationOutcome) || entry.mode == Mode::Outcome {
            continue;
        }
        let is_ours = resource.resource_type == Some(resource_type)
            && verdict(resource, &access.patients, &place.base) == Verdict::Ours
            && carries(resource.text, &write.dedup_key);
        match (is_ours, resource.id.as_deref()) {
            // The first is as good as the others, and somebody has to know.
            (true, Some(_)) if found.is_some() => {
                tracing::error!(
                    code = Code::WriteUnknown.as_str(),
                    "the EHR has a record twice that was written once"
                );
            }
            (true, Some(id)) => {
                let version = resource.version_id.as_deref().unwrap_or_default().to_owned();
                found = Some(Outcome { id: id.to_owned(), version });
            }
            _ => is_whole = false,
        }
    }
    match found {
        Some(outcome) => Sight::There(outcome),
        None if is_whole => Sight::Nowhere,
        None => Sight::Unclear,
    }
}

/// An update is there when the record says what was to be written; it is not when the version is still the old one.
fn of_update(
    answer: &Answer,
    write: &Write,
    intent: &Intent,
    access: &AccessContext,
    place: &Place,
) -> Sight {
    let Ok(envelope) = Envelope::parse(&answer.body, &Limits::default()) else { return Sight::Unclear };
    let id = intent.id.as_deref();
    if envelope.id.as_deref() != id || verdict(&envelope, &access.patients, &place.base) != Verdict::Ours {
        return Sight::Unclear;
    }
    match envelope.version_id.as_deref() {
        Some(version) if version == write.base_version => Sight::Nowhere,
        Some(version) if says_the_same(&intent.payload, envelope.text) => {
            Sight::There(Outcome { id: id.unwrap_or_default().to_owned(), version: version.to_owned() })
        }
        Some(_) => Sight::Changed,
        None => Sight::Unclear,
    }
}

/// Keeps what a look has found.
pub(super) async fn conclude(
    gateway: &Gateway,
    profile: &Profile,
    write: &Write,
    epoch: i64,
    looked: Result<(WriteKey, Sight), Refusal>,
) -> Result<Found, Refusal> {
    let now = gateway.clock.now();
    let pause = (2_000_000_i64 << write.looks.clamp(0, 9)).min(LONGEST_PAUSE);
    let open = |code| End {
        state: State::Unknown,
        finding: None,
        code: Some(code),
        result_sealed: None,
        look_at: now.saturating_add(pause),
    };
    let settled = |finding, code, result_sealed| End {
        state: if code == Some(Code::WriteConflict) { State::Conflict } else { State::Reconciled },
        finding,
        code,
        result_sealed,
        look_at: now,
    };
    let (end, found) = match looked {
        Err(refusal) => (open(refusal.code), Err(in_doubt())),
        Ok((key, Sight::There(outcome))) => {
            let sealed = key.seal(write.id, "result", &outcome)?;
            (
                settled(Some(Finding::Applied), None, Some(sealed)),
                Ok(Found::There(answer::written(write, &outcome))),
            )
        }
        Ok((_, Sight::Changed)) => (settled(None, Some(Code::WriteConflict), None), Ok(Found::Changed)),
        Ok((_, Sight::Unclear)) => (open(Code::WriteUnknown), Ok(Found::Unclear)),
        Ok((_, Sight::Nowhere)) if is_certain(gateway, profile, write) => {
            (settled(Some(Finding::Absent), None, None), Ok(Found::Nowhere { is_certain: true }))
        }
        Ok((_, Sight::Nowhere)) => (open(Code::WriteUnknown), Ok(Found::Nowhere { is_certain: false })),
    };
    end_turn(gateway, write, epoch, &end).await?;
    found
}

/// Whether "not there" will stay true. An update, and a create where the EHR keeps our condition, would be refused if they
/// came late; anything else has to be given time. Where elements are dropped, our identifier may be gone: then it proves
/// nothing that nothing carries it.
fn is_certain(gateway: &Gateway, profile: &Profile, write: &Write) -> bool {
    if write.operation == "update" {
        return true;
    }
    let settled_at = write.sent_at.saturating_add(gateway.config.write_settle_micros());
    let has_settled = gateway.clock.now() >= settled_at && write.looks > 0;
    !*profile.writes.drops_elements && (*profile.writes.conditional_create || has_settled)
}

/// For whom a background look is made: the person who approved it, within the feature that it was approved under.
pub(super) fn patients_of(intent: &Intent) -> Result<Patients, Code> {
    sallyport_model::PatientId::parse(&intent.patient).map(Patients::One).map_err(|_shape| Code::Internal)
}
