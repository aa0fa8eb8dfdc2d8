//! The tests the laboratory offers: codes, units, reference ranges, limits that are phoned through.

use super::Code;

type Range = (Option<f64>, Option<f64>);

/// One test.
#[derive(Debug)]
pub(super) struct Analyte {
    pub(super) code: Code,
    /// Unit as printed and in UCUM.
    pub(super) unit: (&'static str, &'static str),
    pub(super) decimals: i32,
    pub(super) female: Range,
    pub(super) male: Range,
    /// Below twelve years, where it differs.
    pub(super) child: Option<Range>,
    pub(super) critical: Range,
    /// The usual value of a healthy adult and its spread between people.
    pub(super) usual: (f64, f64),
}

const fn test(
    code: Code,
    unit: (&'static str, &'static str),
    decimals: i32,
    range: Range,
    usual: (f64, f64),
) -> Analyte {
    Analyte { code, unit, decimals, female: range, male: range, child: None, critical: (None, None), usual }
}

const fn within(low: f64, high: f64) -> Range {
    (Some(low), Some(high))
}

const fn below(high: f64) -> Range {
    (None, Some(high))
}

const MG_DL: (&str, &str) = ("mg/dL", "mg/dL");
const MMOL_L: (&str, &str) = ("mmol/L", "mmol/L");
const U_L: (&str, &str) = ("U/L", "U/L");
const PERCENT: (&str, &str) = ("%", "%");
const THOUSANDS: (&str, &str) = ("10*3/uL", "10*3/uL");

pub(super) static GLUCOSE: Analyte = Analyte {
    critical: (Some(50.0), Some(400.0)),
    ..test(("2345-7", "Glucose [Mass/volume] in Serum or Plasma"), MG_DL, 0, within(70.0, 99.0), (88.0, 4.0))
};
pub(super) static CREATININE: Analyte = Analyte {
    female: within(0.5, 1.1),
    male: within(0.7, 1.3),
    ..test(("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"), MG_DL, 2, within(0.6, 1.3), (0.8, 0.05))
};
pub(super) static POTASSIUM: Analyte = Analyte {
    critical: (Some(2.8), Some(6.2)),
    ..test(("2823-3", "Potassium [Moles/volume] in Serum or Plasma"), MMOL_L, 1, within(3.5, 5.1), (4.2, 0.2))
};
pub(super) static SODIUM: Analyte = Analyte {
    critical: (Some(120.0), Some(160.0)),
    ..test(
        ("2951-2", "Sodium [Moles/volume] in Serum or Plasma"),
        MMOL_L,
        0,
        within(135.0, 145.0),
        (140.0, 1.3),
    )
};
pub(super) static ALT: Analyte = test(
    ("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma"),
    U_L,
    0,
    within(7.0, 45.0),
    (22.0, 5.0),
);
/// The comprehensive metabolic panel, with the filtration rate derived from it.
pub(super) static CHEMISTRY: [&Analyte; 9] =
    [&GLUCOSE, &CREATININE, &UREA, &SODIUM, &POTASSIUM, &CALCIUM, &ALBUMIN, &ALT, &EGFR];
pub(super) static UREA: Analyte = test(
    ("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"),
    MG_DL,
    0,
    within(7.0, 20.0),
    (14.0, 1.5),
);
static CALCIUM: Analyte =
    test(("17861-6", "Calcium [Mass/volume] in Serum or Plasma"), MG_DL, 1, within(8.6, 10.3), (9.4, 0.15));
static ALBUMIN: Analyte = test(
    ("1751-7", "Albumin [Mass/volume] in Serum or Plasma"),
    ("g/dL", "g/dL"),
    1,
    within(3.5, 5.0),
    (4.3, 0.1),
);
pub(super) static EGFR: Analyte = test(
    (
        "98979-8",
        "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)",
    ),
    ("mL/min/1.73m2", "mL/min/{1.73_m2}"),
    0,
    (Some(60.0), None),
    (95.0, 4.0),
);

/// The blood count.
pub(super) static COUNT: [&Analyte; 4] = [&WHITE, &HAEMOGLOBIN, &HAEMATOCRIT, &PLATELETS];
static WHITE: Analyte = Analyte {
    critical: (Some(1.5), Some(30.0)),
    ..test(
        ("6690-2", "Leukocytes [#/volume] in Blood by Automated count"),
        THOUSANDS,
        1,
        within(4.0, 11.0),
        (6.8, 0.8),
    )
};
pub(super) static HAEMOGLOBIN: Analyte = Analyte {
    female: within(12.0, 15.5),
    male: within(13.5, 17.5),
    child: Some(within(11.5, 14.5)),
    critical: (Some(7.0), Some(20.0)),
    ..test(
        ("718-7", "Hemoglobin [Mass/volume] in Blood"),
        ("g/dL", "g/dL"),
        1,
        within(12.0, 17.5),
        (14.0, 0.4),
    )
};
pub(super) static HAEMATOCRIT: Analyte = Analyte {
    female: within(36.0, 46.0),
    male: within(40.0, 52.0),
    child: Some(within(34.0, 44.0)),
    ..test(
        ("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count"),
        PERCENT,
        1,
        within(36.0, 52.0),
        (42.0, 1.0),
    )
};
static PLATELETS: Analyte = Analyte {
    critical: (Some(30.0), Some(1000.0)),
    ..test(
        ("777-3", "Platelets [#/volume] in Blood by Automated count"),
        THOUSANDS,
        0,
        within(150.0, 400.0),
        (250.0, 25.0),
    )
};

/// The lipid panel.
pub(super) static LIPIDS: [&Analyte; 4] = [&CHOLESTEROL, &LDL, &HDL, &TRIGLYCERIDES];
pub(super) static CHOLESTEROL: Analyte =
    test(("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"), MG_DL, 0, below(199.0), (180.0, 10.0));
pub(super) static LDL: Analyte = test(
    ("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation"),
    MG_DL,
    0,
    below(129.0),
    (104.0, 8.0),
);
pub(super) static HDL: Analyte = Analyte {
    female: (Some(50.0), None),
    male: (Some(40.0), None),
    ..test(
        ("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma"),
        MG_DL,
        0,
        (Some(40.0), None),
        (55.0, 4.0),
    )
};
pub(super) static TRIGLYCERIDES: Analyte =
    test(("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma"), MG_DL, 0, below(149.0), (105.0, 12.0));

pub(super) static GLYCATED: Analyte =
    test(("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), PERCENT, 1, within(4.0, 5.6), (5.3, 0.1));
pub(super) static ALBUMIN_RATIO: Analyte = test(
    ("9318-7", "Albumin/Creatinine [Mass Ratio] in Urine"),
    ("mg/g", "mg/g"),
    0,
    below(29.0),
    (10.0, 2.0),
);
pub(super) static TSH: Analyte = test(
    ("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma"),
    ("mIU/L", "m[IU]/L"),
    2,
    within(0.4, 4.5),
    (1.9, 0.3),
);
pub(super) static FERRITIN: Analyte = Analyte {
    female: within(13.0, 150.0),
    male: within(30.0, 400.0),
    ..test(
        ("2276-4", "Ferritin [Mass/volume] in Serum or Plasma"),
        ("ng/mL", "ng/mL"),
        0,
        within(15.0, 400.0),
        (70.0, 15.0),
    )
};
pub(super) static NATRIURETIC: Analyte = test(
    ("33762-6", "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma"),
    ("pg/mL", "pg/mL"),
    0,
    below(450.0),
    (180.0, 30.0),
);
pub(super) static URATE: Analyte = Analyte {
    female: within(2.6, 6.0),
    male: within(3.5, 7.2),
    ..test(("3084-1", "Urate [Mass/volume] in Serum or Plasma"), MG_DL, 1, within(2.6, 7.2), (5.0, 0.3))
};
pub(super) static INR: Analyte = Analyte {
    critical: (None, Some(5.0)),
    ..test(
        ("6301-6", "INR in Platelet poor plasma by Coagulation assay"),
        ("{INR}", "{INR}"),
        1,
        within(2.0, 3.0),
        (2.5, 0.2),
    )
};
