//! A measure: who it is about, who is left out, what is asked for, and where that was published.

use toml::Value;

use super::{
    criterion::{Criterion, Shelf, Test, age},
    fields::{Fields, Wrong},
};
use crate::day::{Day, Days};

/// A measure, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Its name in rules.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// Where it was published.
    pub publication: Publication,
    /// What to do about a gap, in words.
    pub action: String,
    /// The period in which it asks.
    pub period: Period,
    /// Who it is about.
    pub population: Population,
    /// Who of them is left out.
    pub exclusions: Vec<Exclusion>,
    /// What is asked for.
    pub requirement: Criterion,
    /// What the published measure has and this does not, and what that means.
    pub left_out: Vec<String>,
    /// The tenant's files that changed it, or something it uses.
    pub changed_by: Vec<String>,
}

/// Where a measure was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Its published name.
    pub name: String,
    /// Who keeps it.
    pub steward: String,
    /// Its published numbers, with their version.
    pub numbers: Vec<String>,
    /// The year for which that version was published.
    pub year: u16,
    /// Where to read it.
    pub url: String,
}

/// The period in which a measure asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// The calendar year of the day of judging, as the published measures have it.
    CalendarYear,
    /// The year that ends with the day of judging.
    LastYear,
}

/// Who a measure is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Population {
    /// At least so old at the end of the period, whole years.
    pub from: Option<u16>,
    /// At most so old at the end of the period, whole years.
    pub to: Option<u16>,
    /// Of that sex only.
    pub sex: Option<Sex>,
    /// Of whom this is so.
    pub criterion: Option<Criterion>,
}

/// Administrative gender, where a measure asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
}

/// A reason to leave somebody out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// Its name in rules.
    pub id: String,
    /// When it is so.
    pub criterion: Criterion,
}

impl Period {
    /// Its days for a day of judging.
    pub fn days(self, on: Day) -> Days {
        match self {
            Self::CalendarYear => {
                let (year, _, _) = on.parts();
                Days {
                    first: Day::of(year, 1, 1).unwrap_or(Day::FIRST),
                    last: Day::of(year, 12, 31).unwrap_or(Day::LAST),
                }
            }
            Self::LastYear => Days { first: on.plus_months(-12).plus_days(1), last: on },
        }
    }
}

impl Sex {
    /// As administrative gender stands in the chart.
    pub fn word(self) -> &'static str {
        match self {
            Self::Female => "Female",
            Self::Male => "Male",
        }
    }
}

impl Measure {
    /// Every criterion of it, with those inside others.
    pub fn criteria(&self) -> Vec<&Criterion> {
        let mut open: Vec<&Criterion> = vec![&self.requirement];
        open.extend(&self.population.criterion);
        open.extend(self.exclusions.iter().map(|exclusion| &exclusion.criterion));
        let mut all = Vec::new();
        while let Some(criterion) = open.pop() {
            all.push(criterion);
            if let Test::Any(parts) | Test::All(parts) = &criterion.test {
                open.extend(parts);
            }
        }
        all
    }
}

/// Reads a measure; `None` when it is switched off.
pub(super) fn measure(id: &str, value: &Value, shelf: &Shelf<'_>) -> Result<Option<Measure>, Wrong> {
    let place = format!("measures.{id}");
    let mut fields = Fields::of(value, &place)?;
    if fields.flag("off")? {
        return Ok(None);
    }
    let title = fields.required_text("title")?.to_owned();
    let action = fields.required_text("action")?.to_owned();
    let period = |text: &str| match text {
        "calendar-year" => Some(Period::CalendarYear),
        "last-year" => Some(Period::LastYear),
        _ => None,
    };
    let period = fields.parsed("period", period, "one of calendar-year, last-year")?;
    let publication = match fields.value("publication") {
        Some(value) => publication(value, &fields.path("publication"))?,
        None => {
            return Err(Wrong::at(place, "\"publication\" is missing: say where the measure was published"));
        }
    };
    let population = match fields.value("population") {
        Some(value) => population(value, &fields.path("population"), shelf)?,
        None => return Err(Wrong::at(place, "\"population\" is missing: say who the measure is about")),
    };
    let mut exclusions = Vec::new();
    for (id, value) in fields.named("exclusions")? {
        let criterion = shelf.criterion(id, value, &format!("{place}.exclusions.{id}"))?;
        exclusions.extend(criterion.map(|criterion| Exclusion { id: id.to_owned(), criterion }));
    }
    let requirement = match fields.value("requirement") {
        Some(value) => shelf.criterion("requirement", value, &fields.path("requirement"))?,
        None => None,
    };
    let Some(requirement) = requirement else {
        return Err(Wrong::at(place, "\"requirement\" is missing or off: switch the measure off instead"));
    };
    let left_out = fields.texts("left_out")?.into_iter().map(str::to_owned).collect();
    fields.end()?;
    Ok(Some(Measure {
        id: id.to_owned(),
        title,
        publication,
        action,
        period: period.unwrap_or(Period::CalendarYear),
        population,
        exclusions,
        requirement,
        left_out,
        changed_by: Vec::new(),
    }))
}

fn publication(value: &Value, place: &str) -> Result<Publication, Wrong> {
    let mut fields = Fields::of(value, place)?;
    let publication = Publication {
        name: fields.required_text("name")?.to_owned(),
        steward: fields.required_text("steward")?.to_owned(),
        numbers: fields.texts("numbers")?.into_iter().map(str::to_owned).collect(),
        year: match fields.whole("year")?.map(u16::try_from) {
            Some(Ok(year @ 1990..=2100)) => year,
            _ => {
                return Err(Wrong::at(
                    place,
                    "\"year\" is missing, or none in which a measure was published",
                ));
            }
        },
        url: fields.required_text("url")?.to_owned(),
    };
    fields.end()?;
    Ok(publication)
}

fn population(value: &Value, place: &str, shelf: &Shelf<'_>) -> Result<Population, Wrong> {
    let mut fields = Fields::of(value, place)?;
    let (from, to) = match fields.value("age") {
        Some(value) => age(value, &fields.path("age"))?,
        None => (None, None),
    };
    let sex = |text: &str| match text {
        "female" => Some(Sex::Female),
        "male" => Some(Sex::Male),
        _ => None,
    };
    let sex = fields.parsed("sex", sex, "one of female, male")?;
    let criterion = match fields.value("with") {
        Some(value) => shelf.criterion("population", value, &fields.path("with"))?,
        None => None,
    };
    fields.end()?;
    if from.is_none() && to.is_none() && sex.is_none() && criterion.is_none() {
        return Err(Wrong::at(place, "say who: age, sex, with"));
    }
    Ok(Population { from, to, sex, criterion })
}
