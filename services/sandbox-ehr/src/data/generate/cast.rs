//! Who the patients are: a cast of twenty, then strangers drawn from the same mould.

use jiff::civil::Date;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    CHART_DATE,
    code::Code,
    disease::Disease::{self, *},
    moment::days_after,
    strangers,
};

/// What is unusual about a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Nothing,
    ManyProblems,
    AlmostEmpty,
    Deceased,
}

/// Sex as physiology knows it: norms and diseases depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sex {
    Female,
    Male,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tobacco {
    Never,
    Former,
    Current,
}

/// One patient before any chart exists.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) number: usize,
    pub(super) id: String,
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    pub(super) sex: Sex,
    pub(super) gender: &'static str,
    pub(super) birth: Date,
    pub(super) death: Option<Date>,
    pub(super) race: Code,
    pub(super) hispanic: bool,
    pub(super) language: Code,
    pub(super) tobacco: Tobacco,
    pub(super) edge: Edge,
    pub(super) diseases: Vec<(Disease, u8)>,
}

impl Person {
    pub(super) fn is_almost_empty(&self) -> bool {
        self.edge == Edge::AlmostEmpty
    }
}

/// A part in the cast.
pub(super) struct Role {
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    pub(super) sex: Sex,
    /// Age in months, so that an infant can be cast.
    pub(super) months: i64,
    pub(super) origin: Origin,
    pub(super) tobacco: Tobacco,
    pub(super) edge: Edge,
    pub(super) diseases: &'static [(Disease, u8)],
}

/// Race, ethnicity and language as recorded at registration.
#[derive(Clone, Copy)]
pub(super) struct Origin(pub(super) Code, pub(super) bool, pub(super) Code);

pub(super) const WHITE: Code = ("2106-3", "White");
pub(super) const BLACK: Code = ("2054-5", "Black or African American");
pub(super) const ASIAN: Code = ("2028-9", "Asian");
const NATIVE: Code = ("1002-5", "American Indian or Alaska Native");
const ENGLISH: Code = ("en", "English");
const SPANISH: Code = ("es", "Spanish");
pub(super) const ANGLO: Origin = Origin(WHITE, false, ENGLISH);
pub(super) const LATIN: Origin = Origin(WHITE, true, SPANISH);
pub(super) const AFRICAN: Origin = Origin(BLACK, false, ENGLISH);
pub(super) const EASTERN: Origin = Origin(ASIAN, false, ENGLISH);
const FIRST_NATION: Origin = Origin(NATIVE, false, ENGLISH);
const ISRAELI: Origin = Origin(WHITE, false, ("he", "Hebrew"));
const ARAB: Origin = Origin(WHITE, false, ("ar", "Arabic"));

const fn role(name: (&'static str, &'static str), sex: Sex, years: i64, origin: Origin) -> Role {
    Role {
        given: name.0,
        family: name.1,
        sex,
        months: years * 12,
        origin,
        tobacco: Tobacco::Never,
        edge: Edge::Nothing,
        diseases: &[],
    }
}

use Sex::{Female, Male};

static CAST: [Role; 20] = [
    Role {
        tobacco: Tobacco::Former,
        diseases: &[(Diabetes, 6), (Hypertension, 9), (Hyperlipidaemia, 7), (Kidney, 2), (Obesity, 10)],
        ..role(("Marisol", "Ortega"), Female, 58, LATIN)
    },
    Role {
        diseases: &[(Asthma, 20), (Rhinitis, 18)],
        ..role(("Maximilian-Konstantin Alexandrovich", "Featherstonehaugh-Smythe"), Male, 42, ANGLO)
    },
    Role {
        diseases: &[(Hypertension, 4), (Gout, 3)], ..role(("אברהם", "בן־דוד"), Male, 51, ISRAELI)
    },
    Role {
        diseases: &[(Hypothyroidism, 5), (Migraine, 8)], ..role(("فاطمة", "الزهراني"), Female, 34, ARAB)
    },
    Role {
        tobacco: Tobacco::Former,
        edge: Edge::ManyProblems,
        diseases: &[
            (Hypertension, 25),
            (Hyperlipidaemia, 20),
            (Diabetes, 15),
            (Kidney, 5),
            (Coronary, 9),
            (Prostate, 10),
            (Arthritis, 14),
            (Reflux, 12),
            (Gout, 8),
        ],
        ..role(("Harold", "Whitcombe"), Male, 81, ANGLO)
    },
    Role { edge: Edge::AlmostEmpty, ..role(("Noor", "Siddiqui"), Female, 29, EASTERN) },
    Role { diseases: &[(Asthma, 2), (Eczema, 5)], ..role(("Theo", "Nakamura"), Male, 6, EASTERN) },
    Role {
        edge: Edge::Deceased,
        diseases: &[(HeartFailure, 6), (Fibrillation, 8), (Hypertension, 22), (Kidney, 4)],
        ..role(("Edith", "Rasmussen"), Female, 88, ANGLO)
    },
    Role {
        tobacco: Tobacco::Current,
        diseases: &[(OpioidDependence, 4), (Depression, 6)],
        ..role(("Derek", "Vance"), Male, 39, ANGLO)
    },
    Role {
        tobacco: Tobacco::Current,
        diseases: &[(Copd, 7), (Coronary, 4), (Hyperlipidaemia, 9), (Hypertension, 11)],
        ..role(("Raymond", "Kowalczyk"), Male, 67, ANGLO)
    },
    role(("Chloe", "Beaumont"), Female, 24, ANGLO),
    Role {
        diseases: &[(Asthma, 15), (Rhinitis, 12), (Anxiety, 3)],
        ..role(("Imani", "Brooks"), Female, 31, AFRICAN)
    },
    Role {
        diseases: &[(IronDeficiency, 2), (Migraine, 10)],
        ..role(("Priya", "Raghunathan"), Female, 36, EASTERN)
    },
    Role {
        tobacco: Tobacco::Former,
        diseases: &[(HeartFailure, 3), (Fibrillation, 5), (Hypertension, 16), (Coronary, 6)],
        ..role(("Walter", "Begay"), Male, 74, FIRST_NATION)
    },
    Role { months: 8, ..role(("Luca", "Moretti"), Male, 0, ANGLO) },
    Role {
        diseases: &[(Prediabetes, 2), (Obesity, 12), (Hyperlipidaemia, 4)],
        ..role(("Marcus", "Tillman"), Male, 47, AFRICAN)
    },
    Role { diseases: &[(Depression, 5), (Anxiety, 5)], ..role(("Rowan", "Ellery"), Female, 28, ANGLO) },
    Role {
        diseases: &[(Alzheimer, 4), (Osteoporosis, 11), (Hypertension, 18)],
        ..role(("Beatrix", "Lindholm"), Female, 83, ANGLO)
    },
    Role {
        tobacco: Tobacco::Current,
        diseases: &[
            (Diabetes, 14),
            (Retinopathy, 3),
            (Neuropathy, 4),
            (Hypertension, 12),
            (Hyperlipidaemia, 11),
        ],
        ..role(("Joaquín", "Fuentes"), Male, 63, LATIN)
    },
    Role {
        diseases: &[(Hypothyroidism, 14), (Reflux, 9), (Arthritis, 11), (Osteoporosis, 3)],
        ..role(("Gwendolyn", "Achebe"), Female, 69, AFRICAN)
    },
];

/// The patient with this number (from 1).
pub(super) fn cast(number: usize, rng: &mut ChaCha8Rng) -> Person {
    let stranger;
    let role = match number.checked_sub(1).and_then(|index| CAST.get(index)) {
        Some(role) => role,
        None => {
            stranger = strangers::draw(&CAST, rng);
            &stranger
        }
    };
    // Anywhere between this birthday and the next, but an infant stays an infant.
    let since_birthday = if role.months < 12 { 20 } else { 350 };
    let days = role.months * 30 + role.months * 7 / 16 + 4 + rng.random_range(0..since_birthday);
    let Origin(race, hispanic, language) = role.origin;
    let gender = match (role.given, role.sex) {
        // One patient whose administrative gender and recorded birth sex differ.
        ("Rowan", _) => "other",
        (_, Female) => "female",
        (_, Male) => "male",
    };
    let death = (role.edge == Edge::Deceased).then(|| days_after(CHART_DATE, -rng.random_range(200..260)));
    Person {
        number,
        id: format!("pat-{number:04}"),
        given: role.given,
        family: role.family,
        sex: role.sex,
        gender,
        birth: days_after(CHART_DATE, -days),
        death,
        race,
        hispanic,
        language,
        tobacco: role.tobacco,
        edge: role.edge,
        diseases: role.diseases.to_vec(),
    }
}
