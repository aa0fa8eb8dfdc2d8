//! What an open measure proposes to be written: a request to get in touch with the patient, or a task for the care team.

use std::collections::BTreeSet;

use sallyport_care_gaps::{Assessment, Editable, Outcome, Proposed};
use sallyport_model::{Code, Micros, PatientId, RecordId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    batch::{Batch, Fenced},
    halt::Halt,
    kinds::Fault,
    records,
    store::{self, Made, NewProposal},
};

const DAY: Micros = 86_400 * 1_000_000;

/// What a person writes into one field has at most so many characters.
const MAX_TEXT: usize = 1_000;

/// Under which name a proposal is sealed in its row.
pub(crate) const PROPOSAL: &str = "proposal";

/// As which resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Proposes {
    CommunicationRequest,
    Task,
}

impl Proposes {
    fn resource_type(self) -> &'static str {
        match self {
            Self::CommunicationRequest => "CommunicationRequest",
            Self::Task => "Task",
        }
    }

    /// The resource as it would be written (FHIR R4). It holds nothing that changes from run to run while the record does not: what
    /// a person has before them would otherwise be another one each day.
    fn payload(self, patient: &PatientId, one: &Assessment) -> Value {
        let subject = json!({ "reference": format!("Patient/{}", patient.expose()) });
        let action = one.action.as_deref().unwrap_or(&one.title);
        let why = one.why.first().map(String::as_str).unwrap_or_default();
        let published = &one.published;
        let note =
            format!("Measure: {} ({}), {}.", published.name, published.numbers.join(", "), published.steward);
        match self {
            Self::CommunicationRequest => json!({
                "resourceType": "CommunicationRequest",
                "status": "active",
                "subject": subject,
                "payload": [{ "contentString": action }],
                "reasonCode": [{ "text": format!("{}: {why}", one.title) }],
                "note": [{ "text": note }],
            }),
            Self::Task => json!({
                "resourceType": "Task",
                "status": "requested",
                "intent": "order",
                "description": action,
                "for": subject,
                "reasonCode": { "text": format!("{}: {why}", one.title) },
                "note": [{ "text": note }],
            }),
        }
    }
}

impl Proposes {
    /// What a clinician may put into other words before approving: what is said, and the note. Whom it is about, what it is and
    /// why it was proposed stay.
    fn editable(self) -> Vec<Editable> {
        let (field, label, pointer) = match self {
            Self::CommunicationRequest => ("message", "Message", "/payload/0/contentString"),
            Self::Task => ("description", "What to do", "/description"),
        };
        let declared = |field: &str, label: &str, pointer: &str| Editable {
            field: field.to_owned(),
            label: label.to_owned(),
            pointer: pointer.to_owned(),
            max_chars: MAX_TEXT,
        };
        vec![declared(field, label, pointer), declared("note", "Note", "/note/0/text")]
    }
}

/// Proposes for every gap, and withdraws what no longer holds, in the transaction of the judgements. "Cannot tell" neither
/// proposes nor withdraws. Recorded before it is committed.
pub(super) async fn propose(
    batch: &Batch,
    effects: &mut Fenced,
    proposes: Proposes,
    (patient, subject): (&PatientId, [u8; 32]),
    judged_at: Micros,
    found: &[Assessment],
) -> Result<(), Fault> {
    let run = batch.run();
    let place = (run.tenant.as_str(), run.endpoint_id().as_str(), run.job_id.as_str());
    for one in found.iter().filter(|one| one.outcome == Outcome::Gap) {
        let proposed = Proposed {
            patient: patient.expose().to_owned(),
            resource_type: proposes.resource_type().to_owned(),
            payload: proposes.payload(patient, one).to_string(),
            judged_at,
            assessment: one.clone(),
            editable: proposes.editable(),
        };
        let json = serde_json::to_vec(&proposed).map_err(|_shape| Fault::Item(Code::Internal))?;
        let new = NewProposal {
            id: RecordId::new(batch.parts.clock.as_ref()).uuid(),
            tenant: place.0,
            endpoint: place.1,
            job: place.2,
            run: run.id,
            subject,
            rule: &one.measure,
            occasion: &format!("{}/{}", one.measure, one.period.last.parts().0),
            resource_type: proposes.resource_type(),
            base_version: "",
            content: batch.index(PROPOSAL, &content(&proposed)),
            expires_at: judged_at + i64::from(run.proposal_days) * DAY,
        };
        let seal = |id: uuid::Uuid| batch.seal((id.as_bytes(), PROPOSAL), &json);
        let made = store::propose(effects.tx(), &new, seal, judged_at).await.map_err(Halt::from)?;
        if let Made::Proposed(id) = made {
            record(batch, patient, "propose", id).await?;
        }
    }
    let still: Vec<&str> = found
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Gap | Outcome::CannotTell))
        .map(|one| one.measure.as_str())
        .collect();
    let withdrawn =
        store::withdraw(effects.tx(), place, &subject, &still, judged_at).await.map_err(Halt::from)?;
    for id in withdrawn {
        record(batch, patient, "withdraw", id).await?;
    }
    Ok(())
}

async fn record(batch: &Batch, patient: &PatientId, what: &str, id: uuid::Uuid) -> Result<(), Fault> {
    let recorded = records::of_proposal(&batch.parts.audit, batch.run(), patient, what, id).await;
    recorded.map_err(|error| Fault::Halt(Halt::Failed(error.code())))
}

/// What makes it another proposal: what would be written, and the entries that it rests on, by version.
fn content(proposed: &Proposed) -> Vec<u8> {
    let cited: BTreeSet<String> = proposed
        .assessment
        .evidence
        .iter()
        .map(|one| format!("{} {}", one.source.reference, one.source.version.as_deref().unwrap_or_default()))
        .collect();
    json!([proposed.payload, cited]).to_string().into_bytes()
}
