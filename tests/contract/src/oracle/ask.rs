//! The generated queries: what a page's client may ask, and what it may not.

use std::fmt;

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use url::form_urlencoded::Serializer;

use super::known::Known;

/// What a query tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An id that this launch has met.
    Read,
    /// An id that only the other has met.
    OthersRead,
    /// A search that names this patient, or nobody.
    Search,
    /// A search that names the other one.
    OthersSearch,
    /// `_id` with ids of both.
    ById,
    /// `POST _search`.
    Post,
    /// `_include`, `_revinclude`, chains, `_has`, compartments, history, operations.
    Around,
    /// The next page of a search of this launch.
    Page,
    /// The next page of a search of the other.
    OthersPage,
    /// A section of the chart.
    Section,
    /// The record behind a value.
    Source,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Read,
        Self::OthersRead,
        Self::Search,
        Self::OthersSearch,
        Self::ById,
        Self::Post,
        Self::Around,
        Self::Page,
        Self::OthersPage,
        Self::Section,
        Self::Source,
    ];
}

/// One of the two launches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The one that was made first.
    First,
    /// The other.
    Second,
}

impl Who {
    /// Its part of a pair.
    pub fn of<T>(self, pair: &[T; 2]) -> &T {
        let [first, second] = pair;
        if self == Self::First { first } else { second }
    }

    /// Its part of a pair, to be changed.
    pub fn of_mut<T>(self, pair: &mut [T; 2]) -> &mut T {
        let [first, second] = pair;
        if self == Self::First { first } else { second }
    }

    /// The one that is not this.
    #[must_use]
    pub fn other(self) -> Self {
        if self == Self::First { Self::Second } else { Self::First }
    }
}

/// One query.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which of the two launches asks.
    pub who: Who,
    /// What it tries.
    pub kind: Kind,
    /// `fhir` or `api`.
    pub door: &'static str,
    /// Path and query below the launch.
    pub below: String,
    /// The form of a POST.
    pub form: Option<String>,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = if self.form.is_some() { "POST" } else { "GET" };
        write!(f, "{method} /{}/{}", self.door, self.below)?;
        self.form.iter().try_for_each(|form| write!(f, " with {form}"))
    }
}

/// Types of the patient's record that the chart's features may read, and two that they may not.
const OWNED: [&str; 13] = [
    "Condition",
    "MedicationRequest",
    "AllergyIntolerance",
    "Observation",
    "Encounter",
    "DocumentReference",
    "DiagnosticReport",
    "Immunization",
    "Procedure",
    "CareTeam",
    "Coverage",
    "CarePlan",
    "Goal",
];

const SECTIONS: [&str; 12] = [
    "banner",
    "problems",
    "medications",
    "allergies",
    "vitals",
    "results",
    "encounters",
    "documents",
    "immunizations",
    "procedures",
    "careteam",
    "coverage",
];

/// Filters and controls by type; the empty type is for all.
const FILTERS: [(&str, &str, &str); 26] = [
    ("", "_count", "1"),
    ("", "_count", "3"),
    ("", "_count", "7"),
    ("", "_summary", "count"),
    ("", "_total", "accurate"),
    ("", "_elements", "id"),
    ("", "_lastUpdated", "gt2000-01-01"),
    ("Observation", "category", "vital-signs"),
    ("Observation", "category", "laboratory"),
    ("Observation", "code", "http://loinc.org|85354-9"),
    ("Observation", "code", "8867-4,29463-7"),
    ("Observation", "date", "ge2020-01-01"),
    ("Observation", "_sort", "-date"),
    ("Condition", "clinical-status", "active"),
    ("Condition", "category", "problem-list-item,encounter-diagnosis"),
    ("Condition", "code", "44054006"),
    ("MedicationRequest", "intent", "order,plan"),
    ("MedicationRequest", "status", "active,stopped"),
    ("Encounter", "date", "lt2030-01-01"),
    ("Encounter", "class", "AMB"),
    ("DiagnosticReport", "category", "LAB"),
    ("DocumentReference", "category", "clinical-note"),
    ("Immunization", "status", "completed"),
    ("CareTeam", "status", "active"),
    ("CarePlan", "category", "assess-plan"),
    ("Procedure", "date", "ge1990"),
];

/// What leads round the patient, if anything does. `{}` is a type, `<>` the other patient's id.
const AROUND: [&str; 16] = [
    "{}?_include={}:patient",
    "{}?_include=*",
    "{}?_revinclude=Provenance:target",
    "{}?_revinclude:iterate=*:*",
    "{}?subject:Patient.name=a",
    "{}?patient.identifier=a",
    "{}?patient:not=<>",
    "{}?patient:missing=true",
    "Patient?_has:Observation:patient:code=8867-4",
    "Patient?name=a",
    "Patient/<>/{}",
    "Patient/<>/$everything",
    "Patient/<>/_history",
    "{}/_history",
    "{}?patient=<>&patient=<>",
    "?_type={}&patient=<>",
];

/// Makes queries from a seed and from what is known.
pub(super) struct Generator {
    random: ChaCha8Rng,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The next query of either launch.
    pub(super) fn next(&mut self, known: &[Known; 2]) -> Ask {
        let who = if self.random.random_bool(0.5) { Who::First } else { Who::Second };
        let (own, other) = (who.of(known), who.other().of(known));
        let kind = *Kind::ALL.choose(&mut self.random).unwrap_or(&Kind::Search);
        let (kind, door, below, form) = match kind {
            Kind::Read => (kind, "fhir", self.reference(own), None),
            Kind::OthersRead => (kind, "fhir", self.reference(other), None),
            Kind::Search => {
                let patient = if self.random.random_bool(0.8) { Some(own) } else { None };
                let (of, query) = self.search(patient);
                (kind, "fhir", format!("{of}?{query}"), None)
            }
            Kind::OthersSearch => {
                let (of, query) = self.search(Some(other));
                (kind, "fhir", format!("{of}?{query}"), None)
            }
            Kind::ById => (kind, "fhir", self.by_id(own, other), None),
            Kind::Post => {
                let patient = if self.random.random_bool(0.7) { own } else { other };
                let (of, query) = self.search(Some(patient));
                (kind, "fhir", format!("{of}/_search"), Some(query))
            }
            Kind::Around => (kind, "fhir", self.around(other), None),
            Kind::Page | Kind::OthersPage => {
                let of = if kind == Kind::Page { own } else { other };
                match of.pages.choose(&mut self.random) {
                    Some(page) => (kind, "fhir", page.clone(), None),
                    // None met yet: this makes one.
                    None => {
                        let below =
                            format!("Observation?patient={}&category=laboratory&_count=2", patient(own));
                        (Kind::Search, "fhir", below, None)
                    }
                }
            }
            Kind::Section => {
                let section = SECTIONS.choose(&mut self.random).copied().unwrap_or("banner");
                (kind, "api", format!("v1/chart/{section}"), None)
            }
            Kind::Source => {
                let of = if self.random.random_bool(0.5) { own } else { other };
                (kind, "api", format!("v1/source/{}", self.reference(of)), None)
            }
        };
        Ask { who, kind, door, below, form }
    }

    fn reference(&mut self, of: &Known) -> String {
        let met = of.resources.choose(&mut self.random);
        met.map_or_else(|| "Patient/nobody".to_owned(), |(kind, id)| format!("{kind}/{id}"))
    }

    /// A search on a type with the patient in one of the ways of naming one, and filters.
    fn search(&mut self, of: Option<&Known>) -> (&'static str, String) {
        let kind = OWNED.choose(&mut self.random).copied().unwrap_or("Condition");
        let mut query = Serializer::new(String::new());
        if let Some(of) = of {
            let id = patient(of);
            match self.random.random_range(0..4) {
                0 => query.append_pair("patient", &format!("Patient/{id}")),
                1 if kind == "Condition" || kind == "Observation" => {
                    query.append_pair("subject", &format!("Patient/{id}"))
                }
                _ => query.append_pair("patient", id),
            };
        }
        if kind == "Observation" && self.random.random_bool(0.7) {
            query.append_pair("category", "laboratory");
        }
        for _ in 0..self.random.random_range(0..3) {
            let fitting: Vec<_> = FILTERS.iter().filter(|(on, ..)| on.is_empty() || *on == kind).collect();
            if let Some((_, name, value)) = fitting.choose(&mut self.random) {
                query.append_pair(name, value);
            }
        }
        (kind, query.finish())
    }

    /// `_id` of what this launch has met, what the other has, or both.
    fn by_id(&mut self, own: &Known, other: &Known) -> String {
        let of = if self.random.random_bool(0.5) { own } else { other };
        let Some((kind, first)) = of.resources.choose(&mut self.random) else {
            return "Patient?_id=nobody".to_owned();
        };
        let more: Vec<&str> = own
            .resources
            .iter()
            .chain(&other.resources)
            .filter(|(known, id)| known == kind && id != first)
            .map(|(_, id)| id.as_str())
            .collect();
        let mut ids = first.clone();
        for id in more.choose_multiple(&mut self.random, 2) {
            ids.push(',');
            ids.push_str(id);
        }
        format!("{kind}?{}", Serializer::new(String::new()).append_pair("_id", &ids).finish())
    }

    fn around(&mut self, other: &Known) -> String {
        let kind = OWNED.choose(&mut self.random).copied().unwrap_or("Condition");
        let way = AROUND.choose(&mut self.random).copied().unwrap_or_default();
        way.replace("{}", kind).replace("<>", patient(other))
    }
}

/// The patient that a launch is about: the first resource it met.
fn patient(of: &Known) -> &str {
    of.resources.first().map_or("nobody", |(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_what_is_asked_and_every_kind_is() {
        let mut known = [Known::default(), Known::default()];
        for (known, id) in known.iter_mut().zip(["a", "b"]) {
            known.meet("Patient", id);
            known.meet("Condition", &format!("of-{id}"));
            known.pages.push(format!("_page/{id}"));
        }
        let asked = |seed| {
            let mut generator = Generator::new(seed);
            (0..500).map(|_| generator.next(&known)).collect::<Vec<_>>()
        };
        let (first, again, another) = (asked(1), asked(1), asked(2));
        let told = |asks: &[Ask]| asks.iter().map(Ask::to_string).collect::<Vec<_>>();
        assert_eq!(told(&first), told(&again));
        assert_ne!(told(&first), told(&another));
        for kind in Kind::ALL {
            assert!(first.iter().any(|ask| ask.kind == kind), "{kind:?} is never asked");
        }
        let names_other = |ask: &Ask| ask.who == Who::First && ask.below.contains("Patient%2Fb");
        assert!(first.iter().any(names_other), "the other patient is asked for");
    }
}
