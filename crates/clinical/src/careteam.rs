//! Who looks after the patient: the members of the care teams.

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::When,
    parse::{
        Reading,
        datatypes::{CodeableConcept, Period, Reference, shape},
        primitives::{List, Str, text},
    },
    record::{Record, Standing},
    value::{Absent, Value},
};

/// One member of one care team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CareTeamMember {
    /// The team's resource.
    pub record: Record,
    /// The team's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub team: Option<Value<String>>,
    /// Who.
    pub name: Value<String>,
    /// In which roles.
    pub roles: Vec<Value<Concept>>,
    /// Since and until when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub period: Option<Value<When>>,
}

shape! {
    Resource {
        status: Option<Str<'a>>,
        name: Option<Str<'a>>,
        participant: List<Participant<'a>>,
    }
}

shape! {
    Participant {
        role: List<CodeableConcept<'a>>,
        member: Option<Reference<'a>>,
        period: Option<Period<'a>>,
    }
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Vec<CareTeamMember> {
    let patient = format!("Patient/{}", reading.context.patient.expose());
    let mut items = Vec::new();
    for (source, team) in reading.take::<Resource<'_>>("CareTeam") {
        let in_error = text(&team.status) == Some("entered-in-error");
        let standing = if in_error { Standing::EnteredInError } else { Standing::Valid };
        for member in team.participant.iter() {
            // Some EHRs list the patient as a member of the own team.
            let is_patient = |r: &Reference<'_>| text(&r.reference) == Some(patient.as_str());
            if member.member.as_ref().is_some_and(is_patient) {
                continue;
            }
            let name = source.named("participant.member", &member.member);
            items.push(CareTeamMember {
                record: source.record(standing),
                team: source.string("name", &team.name, &None),
                name: name
                    .unwrap_or_else(|| Value::absent(Absent::NotSent, source.core("participant.member"))),
                roles: source.concepts("participant.role", &member.role, Wanted::Any),
                period: source.period("participant.period", &member.period),
            });
        }
    }
    items.sort_by_key(|item| !item.record.is_valid());
    items
}
