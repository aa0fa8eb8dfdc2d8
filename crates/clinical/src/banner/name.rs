//! Names of people: which of several, and how it is written.

use serde::{Deserialize, Serialize};

use crate::{
    parse::{
        Source, absent_in,
        datatypes::{Element, HumanName},
        primitives::{List, Str, owned, text},
    },
    value::{Absent, Value},
};

/// A person's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonName {
    /// `FAMILY, Given (Title)`, or the name's own text.
    pub display: String,
    /// Family name as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub family: Option<String>,
    /// Given names as sent.
    pub given: Vec<String>,
    /// What it is for: official, usual, nickname.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage: Option<String>,
}

impl PersonName {
    /// Family name first, in capitals, then a comma, given names, the title in brackets (NHS CUI patient name display).
    fn read(n: &HumanName<'_>) -> Option<Self> {
        let words = |list: &List<Str<'_>>| {
            list.iter().filter_map(|s| s.text().map(ToOwned::to_owned)).collect::<Vec<_>>()
        };
        let (family, given, prefix) = (owned(&n.family), words(&n.given), words(&n.prefix));
        let suffix = words(&n.suffix);
        let mut display = match (&family, given.is_empty()) {
            (Some(family), false) => format!("{}, {}", family.to_uppercase(), given.join(" ")),
            (Some(family), true) => family.to_uppercase(),
            (None, false) if text(&n.text).is_none() => given.join(" "),
            (None, _) => owned(&n.text)?,
        };
        let title: Vec<String> =
            if family.is_some() { prefix.into_iter().chain(suffix).collect() } else { Vec::new() };
        if !title.is_empty() {
            display.push_str(&format!(" ({})", title.join(", ")));
        }
        Some(Self { display, family, given, usage: owned(&n.usage) })
    }
}

/// The official name (else the usual, else the first that is in use) and the preferred one when it differs.
pub(super) fn names(
    source: &Source,
    names: &List<HumanName<'_>>,
    elements: &List<Element<'_>>,
) -> (Value<PersonName>, Option<Value<PersonName>>) {
    let in_use = || {
        names.iter().filter(|n| {
            let ended = n.period.as_ref().is_some_and(|p| text(&p.end).is_some());
            !ended && !matches!(text(&n.usage), Some("old" | "maiden" | "temp"))
        })
    };
    let of = |usage: &str| in_use().find(|n| text(&n.usage) == Some(usage)).and_then(PersonName::read);
    let chosen = of("official").or_else(|| of("usual")).or_else(|| in_use().find_map(PersonName::read));
    // A record with ended names only still has a name; it is better than none and the source shows its period.
    let chosen = chosen.or_else(|| names.iter().find_map(PersonName::read));
    let Some(chosen) = chosen else {
        let reason = names
            .iter()
            .find_map(|n| absent_in(&n.extension))
            .or_else(|| elements.iter().find_map(|e| absent_in(&e.extension)));
        return (Value::absent(reason.unwrap_or(Absent::NotSent), source.core("Patient.name")), None);
    };
    let preferred = of("nickname").or_else(|| of("usual"));
    let preferred = preferred
        .filter(|p| p.display != chosen.display && (&p.family, &p.given) != (&chosen.family, &chosen.given));
    (
        Value::known(chosen, source.core("Patient.name")),
        preferred.map(|p| Value::known(p, source.core("Patient.name"))),
    )
}
