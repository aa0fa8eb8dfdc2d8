//! Who the patient is: alive, of an age, of a sex; and whether the measure is about such a person.

use sallyport_clinical::{banner::Banner, date::When, value::Value};

use super::{Cited, Finding, Judge, when::days_of};
use crate::{
    day::Day,
    evidence::{Role, Weight},
    record::Kind,
    rules::Sex,
    truth::Truth,
};

impl Judge<'_> {
    /// Whether the measure is about this patient.
    pub(super) fn population(&self) -> Finding {
        let Some(patient) = &self.record.patient else {
            let why = "The patient's own data could not be read.";
            return Finding::new(Truth::Unknown, why).unless_incomplete(self.record, &[Kind::Patient]);
        };
        if patient.is_deceased {
            return self.deceased(patient);
        }
        if patient.is_replaced {
            return Finding::new(Truth::Unknown, "The EHR says that another record replaces this patient's.");
        }
        let population = &self.measure.population;
        let mut parts = Vec::new();
        if population.from.is_some() || population.to.is_some() {
            parts.push(self.age(population.from, population.to));
        }
        parts.extend(population.sex.map(|wanted| sex(patient, wanted)));
        // Who is too old or of the other sex need not be looked at further.
        if Truth::all(parts.iter().map(|part| part.truth)) != Truth::No {
            let criterion = population.criterion.as_ref();
            parts.extend(criterion.map(|criterion| self.criterion(criterion, Role::Population)));
        }
        super::join(Truth::all(parts.iter().map(|part| part.truth)), parts)
    }

    fn deceased(&self, patient: &Banner) -> Finding {
        let when = patient.deceased.as_ref();
        let cited = Cited {
            role: Role::Population,
            criterion: "Alive",
            what: "Death was recorded",
            code: None,
            value: None,
            when: when.and_then(|w| w.value.clone()).map(|start| When {
                start: Some(start),
                end: None,
                text: None,
            }),
            source: when.map_or(&patient.birth_date.source, |when| &when.source),
        };
        let why = "The patient has died.";
        Finding::of(Truth::No, why, vec![cited.says(Weight::Counts, why)])
    }

    /// Whole years at the end of the period.
    pub(super) fn age(&self, from: Option<u16>, to: Option<u16>) -> Finding {
        let at = self.period.last;
        let Some(patient) = &self.record.patient else {
            return Finding::new(Truth::Unknown, "The date of birth could not be read.");
        };
        let born = &patient.birth_date;
        let days = born.value.as_ref().and_then(|date| days_of(date, self.judging.zone));
        let Some(days) = days.filter(|days| days.first <= self.judging.on) else {
            let said = born.value.as_ref().map_or("not known", |date| date.original.as_str());
            return Finding::new(
                Truth::Unknown,
                format!("The age cannot be told: the date of birth is {said}."),
            );
        };
        let (oldest, youngest) = (years(days.first, at), years(days.last, at));
        let truth = if from.is_some_and(|from| oldest < i32::from(from))
            || to.is_some_and(|to| youngest > i32::from(to))
        {
            Truth::No
        } else if from.is_none_or(|from| youngest >= i32::from(from))
            && to.is_none_or(|to| oldest <= i32::from(to))
        {
            Truth::Yes
        } else {
            Truth::Unknown
        };
        let age = if oldest == youngest { oldest.to_string() } else { format!("{youngest} or {oldest}") };
        let bounds = match (from, to) {
            (Some(from), Some(to)) => format!("{from} to {to}"),
            (Some(from), None) => format!("{from} or more"),
            (None, Some(to)) => format!("{to} or less"),
            (None, None) => "any age".to_owned(),
        };
        let why = match truth {
            Truth::Yes => format!("Aged {age} on {}: the measure asks from {bounds}.", at.text()),
            Truth::No => format!("Aged {age} on {}, not {bounds}.", at.text()),
            Truth::Unknown => format!(
                "Aged {age} on {}: the date of birth does not say whether that is {bounds}.",
                at.text()
            ),
        };
        let cited = Cited {
            role: Role::Population,
            criterion: "Age",
            what: "Date of birth",
            code: None,
            value: born.value.as_ref().map(|date| date.original.clone()),
            when: None,
            source: &born.source,
        };
        let weight = if truth == Truth::Unknown { Weight::Unclear } else { Weight::Counts };
        Finding::of(truth, why.clone(), vec![cited.says(weight, why)])
    }
}

/// Whole years from a birthday to a day; who was born on 29 February is a year older on 1 March of other years.
fn years(born: Day, at: Day) -> i32 {
    let ((born_year, born_month, born_day), (year, month, day)) = (born.parts(), at.parts());
    year - born_year - i32::from((month, day) < (born_month, born_day))
}

/// Sex by administrative gender. Where another statement of sex says otherwise, nobody is told what the patient is: the
/// measure cannot tell.
fn sex(patient: &Banner, wanted: Sex) -> Finding {
    let gender = &patient.gender;
    let said = gender.value.as_deref();
    let others: Vec<&Value<String>> = patient
        .about
        .iter()
        .filter(|about| {
            ["Birth sex", "Sex", "Legal sex", "Sex for clinical use"].contains(&about.label.as_str())
        })
        .map(|about| &about.value)
        .filter(|value| {
            value.value.as_deref().is_some_and(|v| ["Female", "Male"].contains(&v) && Some(v) != said)
        })
        .collect();
    let truth = match said {
        Some(_) if !others.is_empty() => Truth::Unknown,
        Some(said) if said == wanted.word() => Truth::Yes,
        Some("Female" | "Male") => Truth::No,
        _ => Truth::Unknown,
    };
    let why = match truth {
        Truth::Yes => format!("Administrative gender is {}.", wanted.word().to_lowercase()),
        Truth::No => format!(
            "The measure is about those whose administrative gender is {}.",
            wanted.word().to_lowercase()
        ),
        Truth::Unknown if !others.is_empty() => "The record gives more than one answer about sex.".to_owned(),
        Truth::Unknown => "Administrative gender is not known, or neither female nor male.".to_owned(),
    };
    let weight = if truth == Truth::Unknown { Weight::Unclear } else { Weight::Counts };
    let cite = |value: &Value<String>, weight| {
        Cited {
            role: Role::Population,
            criterion: "Sex",
            what: "Sex",
            code: None,
            value: value.value.clone(),
            when: None,
            source: &value.source,
        }
        .says(weight, why.clone())
    };
    let evidence = [gender].into_iter().chain(others).map(|value| cite(value, weight)).collect();
    Finding::of(truth, why.clone(), evidence)
}
