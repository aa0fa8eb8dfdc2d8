//! Encounters: when the patient came, why, and whom they saw. Later parts hang on them.

use jiff::civil::{Date, Weekday};
use serde_json::Value;

use super::{
    cast::Edge,
    chart::Chart,
    clinic::{Clinician, HADDAD, HOSPITAL, LINDQVIST, NOVAK, OKAFOR, REYES, place_name},
    code::{ACT_CODE, Code, SNOMED, coding, concept, named},
    disease::Disease,
    moment::{Moment, days_after},
    tree::tree,
};

/// What kind of encounter it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Wellness,
    FollowUp,
    Acute,
    Telehealth,
    Emergency,
    Inpatient,
}

/// One encounter.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) at: Moment,
    pub(super) clinician: &'static Clinician,
    /// Still going on at the chart date.
    pub(super) is_open: bool,
}

impl Kind {
    fn class(self) -> Code {
        match self {
            Self::Wellness | Self::FollowUp | Self::Acute => ("AMB", "ambulatory"),
            Self::Telehealth => ("VR", "virtual"),
            Self::Emergency => ("EMER", "emergency"),
            Self::Inpatient => ("IMP", "inpatient encounter"),
        }
    }

    fn coded(self) -> Code {
        match self {
            Self::Wellness => ("410620009", "Well patient visit"),
            Self::FollowUp => ("390906007", "Follow-up encounter"),
            Self::Acute => ("185345009", "Encounter for symptom"),
            Self::Telehealth => ("448337001", "Telemedicine consultation with patient"),
            Self::Emergency => ("50849002", "Emergency room admission"),
            Self::Inpatient => ("32485007", "Hospital admission"),
        }
    }

    fn minutes(self) -> i64 {
        match self {
            Self::Wellness => 40,
            Self::FollowUp | Self::Acute => 25,
            Self::Telehealth => 15,
            Self::Emergency => 260,
            Self::Inpatient => 4 * 24 * 60,
        }
    }

    fn place(self, clinician: &Clinician) -> &'static str {
        match self {
            Self::Emergency => "loc-emergency",
            Self::Inpatient => "loc-ward",
            _ if clinician.id == OKAFOR.id => "loc-cardiology",
            _ => "loc-primary",
        }
    }
}

/// Plans and stores the patient's encounters, oldest first.
pub(super) fn attend(chart: &mut Chart<'_>) {
    let mut days = routine(chart);
    if chart.age_on(chart.today()) >= 2.0 {
        let back = chart.whole(60, 700);
        days.push((workday(days_after(chart.today(), -back)), Kind::Acute));
    }
    if chart.chance(0.35) && chart.age_on(chart.today()) >= 2.0 {
        let back = chart.whole(100, 900);
        days.push((days_after(chart.today(), -back), Kind::Emergency));
    }
    if [Disease::HeartFailure, Disease::Copd].iter().any(|d| chart.has(*d))
        || chart.person.edge == Edge::ManyProblems
    {
        let back = if chart.person.edge == Edge::Deceased { 12 } else { chart.whole(150, 400) };
        days.push((days_after(chart.today(), -back), Kind::Inpatient));
    }
    days.sort_by_key(|(day, _)| *day);
    days.dedup_by_key(|(day, _)| *day);
    let newest = days.len().saturating_sub(1);
    for (index, (day, kind)) in days.into_iter().enumerate() {
        // Some patients are in the clinic right now: an app is launched in an encounter under way.
        let is_open = index == newest && matches!(chart.person.number, 1 | 4 | 10) && kind != Kind::Inpatient;
        let id = chart.next_id("enc");
        let at = if is_open {
            Moment::at(chart.today(), 12, 30)
        } else {
            Moment::at(day, chart.whole(8, 15), chart.whole(0, 11) * 5)
        };
        let clinician = who(chart, kind, index);
        let visit = Visit { id, kind, at, clinician, is_open };
        store(chart, &visit);
        chart.visits.push(visit);
    }
}

/// Regular visits: by age for children, by burden of disease for adults.
fn routine(chart: &mut Chart<'_>) -> Vec<(Date, Kind)> {
    let today = chart.today();
    let birth = chart.person.birth;
    let age = chart.age_on(today);
    if age < 18.0 {
        let months: &[i64] =
            &[0, 2, 4, 6, 9, 12, 18, 24, 36, 48, 60, 72, 84, 96, 108, 120, 132, 144, 156, 168, 180, 192, 204];
        let due = months.iter().map(|month| workday(days_after(birth, month * 304 / 10 + 10)));
        return due.filter(|day| *day < today).map(|day| (day, Kind::Wellness)).collect();
    }
    let (every, count) = match chart.illnesses.len() {
        0 => (365, 4),
        1..=2 => (182, 7),
        3..=4 => (122, 10),
        _ => (91, 13),
    };
    (0..count)
        .map(|back| {
            // The dying came no more to the clinic.
            let last = if chart.person.edge == Edge::Deceased { 70 } else { 0 };
            let day = workday(days_after(today, -(last + back * every + chart.whole(2, 20))));
            let kind = match back {
                _ if (back * every) % 365 < every => Kind::Wellness,
                _ if back % 4 == 1 && chart.illnesses.len() > 1 => Kind::Telehealth,
                _ => Kind::FollowUp,
            };
            (day, kind)
        })
        .collect()
}

/// Clinics are closed at weekends.
fn workday(day: Date) -> Date {
    match day.weekday() {
        Weekday::Saturday => days_after(day, -1),
        Weekday::Sunday => days_after(day, -2),
        _ => day,
    }
}

fn who(chart: &Chart<'_>, kind: Kind, index: usize) -> &'static Clinician {
    let heart = [Disease::Coronary, Disease::HeartFailure, Disease::Fibrillation];
    match kind {
        Kind::Emergency => &NOVAK,
        _ if chart.age_on(chart.today()) < 18.0 => &LINDQVIST,
        Kind::Inpatient => &OKAFOR,
        Kind::FollowUp if heart.iter().any(|disease| chart.has(*disease)) && index.is_multiple_of(2) => {
            &OKAFOR
        }
        Kind::FollowUp if chart.has(Disease::Diabetes) && index.is_multiple_of(3) => &HADDAD,
        Kind::Acute => &NOVAK,
        _ => &REYES,
    }
}

fn store(chart: &mut Chart<'_>, visit: &Visit) {
    let end = visit.at.plus(visit.kind.minutes());
    let mut period = tree!({ "start": visit.at.local() });
    if !visit.is_open
        && let Some(members) = period.as_object_mut()
    {
        members.insert("end".to_owned(), tree!(end.local()));
    }
    let place = visit.kind.place(visit.clinician);
    let role =
        if visit.kind == Kind::Inpatient { ("ATND", "attender") } else { ("PPRF", "primary performer") };
    let mut body = tree!({
        "resourceType": "Encounter",
        "id": &visit.id,
        "status": if visit.is_open { "in-progress" } else { "finished" },
        "class": coding(ACT_CODE, visit.kind.class()),
        "type": [concept(SNOMED, visit.kind.coded())],
        "subject": chart.subject(),
        "identifier": [{ "system": "https://sandbox.sallyport.example/visit", "value": format!("V{}", &visit.id.replace("enc-", "")) }],
        "participant": [{
            "type": [{ "coding": [coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", role)] }],
            "individual": named("Practitioner", visit.clinician.id, visit.clinician.name),
        }],
        "period": period,
        "location": [{ "location": named("Location", place, place_name(place)) }],
        "serviceProvider": named("Organization", "org-harborlight", HOSPITAL),
    });
    if visit.kind == Kind::Inpatient
        && let Some(members) = body.as_object_mut()
    {
        members.insert("hospitalization".to_owned(), discharge(chart));
    }
    let updated = if visit.is_open { visit.at.plus(5) } else { end };
    chart.put(&["us-core-encounter"], updated, body);
}

fn discharge(chart: &Chart<'_>) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/discharge-disposition";
    let code = if chart.person.edge == Edge::Deceased { ("hosp", "Hospice") } else { ("home", "Home") };
    tree!({ "dischargeDisposition": { "coding": [coding(system, code)], "text": code.1 } })
}
