//! Who looks after the patient: the members of the care teams.

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::When,
    parse::{
        Reading, Source,
        datatypes::{CodeableConcept, Period, Reference, resource, shape},
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

resource! {
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

pub(crate) fn read(reading: &Reading<'_>) -> Vec<CareTeamMember> {
    let patient = format!("Patient/{}", reading.context.patient.expose());
    let teams = reading.each("CareTeam", |source, record, team| members(source, record, team, &patient));
    let mut items: Vec<CareTeamMember> = teams.into_iter().flatten().collect();
    items.sort_by_key(|item| !item.record.is_valid());
    items
}

fn members(source: &Source, record: Record, team: &Resource<'_>, patient: &str) -> Vec<CareTeamMember> {
    let in_error = text(&team.status) == Some("entered-in-error");
    let record = record.with(if in_error { Standing::EnteredInError } else { Standing::Valid });
    // Some EHRs list the patient as a member of the own team.
    let is_patient = |r: &Reference<'_>| text(&r.reference) == Some(patient);
    let others = team.participant.iter().filter(|m| !m.member.as_ref().is_some_and(is_patient));
    let member = |member: &Participant<'_>| CareTeamMember {
        record: record.clone(),
        team: source.string("CareTeam.name", &team.name, &None),
        name: source
            .named("CareTeam.participant.member", &member.member)
            .unwrap_or_else(|| Value::absent(Absent::NotSent, source.core("CareTeam.participant.member"))),
        roles: source.concepts("CareTeam.participant.role", &member.role, Wanted::Any),
        period: source.period("CareTeam.participant.period", &member.period),
    };
    others.map(member).collect()
}
