//! The formulary: RxNorm products with the instructions they are given with.

use super::code::Code;

/// A product and how it is taken.
#[derive(Debug)]
pub(super) struct Drug {
    pub(super) rxnorm: Code,
    pub(super) instruction: &'static str,
    pub(super) route: Code,
    pub(super) dose: (f64, &'static str),
    /// Times per `period_days`.
    pub(super) frequency: u32,
    pub(super) period_days: u32,
    pub(super) as_needed: bool,
}

const ORAL: Code = ("26643006", "Oral route");
const SUBLINGUAL: Code = ("37839007", "Sublingual route");
const SUBCUTANEOUS: Code = ("34206005", "Subcutaneous route");
const INHALED: Code = ("447694001", "Respiratory tract route");

const fn tablet(rxnorm: Code, frequency: u32, instruction: &'static str) -> Drug {
    Drug {
        rxnorm,
        instruction,
        route: ORAL,
        dose: (1.0, "tablet"),
        frequency,
        period_days: 1,
        as_needed: false,
    }
}

const fn capsule(rxnorm: Code, frequency: u32, instruction: &'static str) -> Drug {
    Drug { dose: (1.0, "capsule"), ..tablet(rxnorm, frequency, instruction) }
}

pub(super) const METFORMIN: Drug = tablet(
    ("861004", "metformin hydrochloride 1000 MG Oral Tablet"),
    2,
    "Take 1 tablet twice daily with meals",
);
pub(super) const GLARGINE: Drug = Drug {
    route: SUBCUTANEOUS,
    dose: (24.0, "[iU]"),
    ..tablet(
        ("847232", "3 ML insulin glargine 100 UNT/ML Pen Injector [Lantus]"),
        1,
        "Inject 24 units under the skin at bedtime",
    )
};
pub(super) const GABAPENTIN: Drug =
    capsule(("310431", "gabapentin 300 MG Oral Capsule"), 3, "Take 1 capsule three times daily");
pub(super) const LISINOPRIL: Drug =
    tablet(("314076", "lisinopril 10 MG Oral Tablet"), 1, "Take 1 tablet once daily");
pub(super) const AMLODIPINE: Drug =
    tablet(("197361", "amlodipine 5 MG Oral Tablet"), 1, "Take 1 tablet once daily");
pub(super) const ATORVASTATIN: Drug =
    tablet(("617310", "atorvastatin 20 MG Oral Tablet"), 1, "Take 1 tablet at bedtime");
pub(super) const SIMVASTATIN: Drug =
    tablet(("312961", "simvastatin 20 MG Oral Tablet"), 1, "Take 1 tablet at bedtime");
pub(super) const ASPIRIN: Drug =
    tablet(("243670", "aspirin 81 MG Oral Tablet"), 1, "Take 1 tablet once daily");
pub(super) const METOPROLOL: Drug = tablet(
    ("866436", "24 HR metoprolol succinate 50 MG Extended Release Oral Tablet"),
    1,
    "Take 1 tablet once daily, do not crush",
);
pub(super) const APIXABAN: Drug =
    tablet(("1364445", "apixaban 5 MG Oral Tablet"), 2, "Take 1 tablet twice daily");
pub(super) const WARFARIN: Drug =
    tablet(("855332", "warfarin sodium 5 MG Oral Tablet"), 1, "Take 1 tablet in the evening, dose by INR");
pub(super) const FUROSEMIDE: Drug =
    tablet(("313988", "furosemide 40 MG Oral Tablet"), 1, "Take 1 tablet every morning");
pub(super) const ALBUTEROL: Drug = Drug {
    route: INHALED,
    dose: (2.0, "puff"),
    as_needed: true,
    ..tablet(
        ("745679", "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler"),
        4,
        "Inhale 2 puffs up to four times daily as needed for wheeze",
    )
};
pub(super) const FLUTICASONE: Drug = Drug {
    route: INHALED,
    dose: (2.0, "puff"),
    ..tablet(
        ("895994", "120 ACTUAT fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler"),
        2,
        "Inhale 2 puffs twice daily, rinse mouth after use",
    )
};
pub(super) const FLUTICASONE_SALMETEROL: Drug = Drug {
    route: INHALED,
    dose: (1.0, "puff"),
    ..tablet(
        (
            "896209",
            "60 ACTUAT fluticasone propionate 0.25 MG/ACTUAT / salmeterol 0.05 MG/ACTUAT Dry Powder Inhaler",
        ),
        2,
        "Inhale 1 puff twice daily",
    )
};
pub(super) const CETIRIZINE: Drug = tablet(
    ("1014678", "cetirizine hydrochloride 10 MG Oral Tablet"),
    1,
    "Take 1 tablet once daily in season",
);
pub(super) const LEVOTHYROXINE: Drug = tablet(
    ("966247", "levothyroxine sodium 0.05 MG Oral Tablet [Synthroid]"),
    1,
    "Take 1 tablet every morning on an empty stomach",
);
pub(super) const OMEPRAZOLE: Drug = capsule(
    ("198051", "omeprazole 20 MG Delayed Release Oral Capsule"),
    1,
    "Take 1 capsule before breakfast",
);
pub(super) const ACETAMINOPHEN: Drug = Drug {
    dose: (2.0, "tablet"),
    as_needed: true,
    ..tablet(
        ("313782", "acetaminophen 325 MG Oral Tablet"),
        4,
        "Take 2 tablets up to four times daily as needed for pain",
    )
};
pub(super) const ALENDRONATE: Drug = tablet(
    ("904419", "alendronic acid 10 MG Oral Tablet"),
    1,
    "Take 1 tablet on waking with water, stay upright for 30 minutes",
);
pub(super) const ALLOPURINOL: Drug =
    tablet(("197319", "allopurinol 100 MG Oral Tablet"), 1, "Take 1 tablet once daily");
pub(super) const IRON: Drug =
    tablet(("310325", "ferrous sulfate 325 MG Oral Tablet"), 1, "Take 1 tablet once daily");
pub(super) const TAMSULOSIN: Drug =
    capsule(("863669", "tamsulosin hydrochloride 0.4 MG Oral Capsule"), 1, "Take 1 capsule after supper");
pub(super) const SUMATRIPTAN: Drug = Drug {
    as_needed: true,
    ..tablet(
        ("313161", "sumatriptan 50 MG Oral Tablet"),
        1,
        "Take 1 tablet at the onset of a migraine, may be repeated once",
    )
};
pub(super) const SERTRALINE: Drug =
    tablet(("312941", "sertraline 50 MG Oral Tablet"), 1, "Take 1 tablet every morning");
pub(super) const DONEPEZIL: Drug =
    tablet(("997223", "donepezil hydrochloride 10 MG Oral Tablet"), 1, "Take 1 tablet at bedtime");
pub(super) const BUPRENORPHINE: Drug = Drug {
    route: SUBLINGUAL,
    ..tablet(
        ("352364", "buprenorphine 8 MG / naloxone 2 MG Sublingual Tablet"),
        1,
        "Dissolve 1 tablet under the tongue once daily",
    )
};
pub(super) const AMOXICILLIN: Drug =
    capsule(("308191", "amoxicillin 500 MG Oral Capsule"), 3, "Take 1 capsule three times daily for 7 days");
pub(super) const NITROFURANTOIN: Drug = capsule(
    ("1648755", "nitrofurantoin, macrocrystals 25 MG / nitrofurantoin, monohydrate 75 MG Oral Capsule"),
    2,
    "Take 1 capsule twice daily for 5 days",
);
pub(super) const IBUPROFEN: Drug = Drug {
    as_needed: true,
    ..tablet(
        ("310965", "ibuprofen 200 MG Oral Tablet"),
        3,
        "Take 1 tablet up to three times daily as needed for pain",
    )
};

/// Every product, for the Medication resources that requests may refer to.
pub(super) const FORMULARY: [&Drug; 30] = [
    &METFORMIN,
    &GLARGINE,
    &GABAPENTIN,
    &LISINOPRIL,
    &AMLODIPINE,
    &ATORVASTATIN,
    &SIMVASTATIN,
    &ASPIRIN,
    &METOPROLOL,
    &APIXABAN,
    &WARFARIN,
    &FUROSEMIDE,
    &ALBUTEROL,
    &FLUTICASONE,
    &FLUTICASONE_SALMETEROL,
    &CETIRIZINE,
    &LEVOTHYROXINE,
    &OMEPRAZOLE,
    &ACETAMINOPHEN,
    &ALENDRONATE,
    &ALLOPURINOL,
    &IRON,
    &TAMSULOSIN,
    &SUMATRIPTAN,
    &SERTRALINE,
    &DONEPEZIL,
    &BUPRENORPHINE,
    &AMOXICILLIN,
    &NITROFURANTOIN,
    &IBUPROFEN,
];
