//! Rule files: those that ship, and a tenant's own.

use sallyport_care_gaps::{
    Outcome::{self, Gap, Met, NotInPopulation},
    RuleFile, Test,
};
use serde_json::Value;

use super::*;

fn load(text: &str) -> RuleSet {
    RuleSet::with(&[RuleFile { name: "tenant.toml", text }]).unwrap_or_else(|e| panic!("{e}"))
}

fn by(rules: &RuleSet, measure: &str, resources: &[Value]) -> Outcome {
    judge_with(rules, measure, TODAY, Zone::Unknown, resources, &[]).outcome
}

#[test]
fn the_measures_that_ship_name_their_source_and_what_they_leave_out() {
    let rules = RuleSet::builtin().unwrap();
    let ids: Vec<&str> = rules.measures.iter().map(|measure| measure.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "blood-pressure-control",
            "breast-screening",
            "colorectal-screening",
            "diabetes-glycemic-status",
            "kidney-evaluation"
        ]
    );
    for measure in &rules.measures {
        let source = &measure.publication;
        assert!(source.numbers.iter().any(|number| number.starts_with("CMS")), "{}", measure.id);
        assert!(source.url.starts_with("https://ecqi.healthit.gov/ecqm/ec/2026/"), "{}", measure.id);
        assert!(!measure.left_out.is_empty() && measure.changed_by.is_empty(), "{}", measure.id);
    }
}

#[test]
fn every_code_that_ships_has_a_right_check_digit_and_none_is_of_cpt() {
    for set in RuleSet::builtin().unwrap().value_sets.values() {
        assert!(!set.systems.contains_key("cpt"), "{}: codes of CPT may not ship", set.id);
        let snomed = [set.systems.get("snomed"), set.unsure.get("snomed")].into_iter().flatten();
        for code in snomed.flat_map(|listed| &listed.codes) {
            assert!(verhoeff(code), "{}: {code} is no SNOMED CT identifier", set.id);
        }
        for code in set.systems.get("loinc").iter().flat_map(|listed| &listed.codes) {
            assert!(luhn(code), "{}: {code} is no LOINC number", set.id);
        }
    }
}

/// SNOMED CT identifiers end with a check digit by Verhoeff's dihedral algorithm.
fn verhoeff(code: &str) -> bool {
    const TIMES: [[usize; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const FIRST: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let place = |position: usize, digit: usize| (0..position % 8).fold(digit, |digit, _| FIRST[digit]);
    let digits = code.bytes().rev().map(|b| usize::from(b - b'0'));
    digits.enumerate().fold(0, |sum, (position, digit)| TIMES[sum][place(position, digit)]) == 0
}

/// LOINC numbers end with a check digit modulo 10.
fn luhn(code: &str) -> bool {
    let (number, check) = code.split_once('-').unwrap();
    let double = |(position, b): (usize, u8)| {
        let digit = u32::from(b - b'0') * if position % 2 == 0 { 2 } else { 1 };
        digit / 10 + digit % 10
    };
    let sum: u32 = number.bytes().rev().enumerate().map(double).sum();
    (10 - sum % 10) % 10 == check.parse::<u32>().unwrap()
}

#[test]
fn a_tenant_tunes_age_limit_look_back_codes_and_exclusions() {
    let file = r#"
        [measures.colorectal-screening.population.age]
        from = 45
        [measures.colorectal-screening.requirement.any.colonoscopy]
        since = "P4Y"
        [measures.blood-pressure-control.requirement.last.systolic]
        below = "130"
        [measures.diabetes-glycemic-status.exclusions.hospice]
        off = true
        [value_sets.mammography.add]
        cpt = ["77067"]
        [value_sets.diabetes.remove]
        icd10cm = ["E13*"]
        [measures.kidney-evaluation]
        off = true
    "#;
    let rules = load(file);
    assert!(by(&rules, "colorectal-screening", &[patient("1981-12-31", "male")]) == Gap);
    let screened = [patient("1966-05-05", "male"), procedure("c", SNOMED, "73761001", "2021-12-31")];
    assert!(by(&rules, "colorectal-screening", &screened) == Gap);
    let high = [patient("1966-05-05", "male"), hypertension(), pressure("p", "2026-03-01", 130, 80)];
    assert!(by(&rules, "blood-pressure-control", &high) == Gap);
    let hospice =
        [patient("1966-05-05", "male"), diabetes(), procedure("h", SNOMED, "385763009", "2026-02-01")];
    assert!(by(&rules, "diabetes-glycemic-status", &hospice) == Gap);
    let other = [patient("1966-05-05", "male"), condition("d", ICD, "E13.9", "2020")];
    assert!(by(&rules, "diabetes-glycemic-status", &other) == NotInPopulation);
    let by_cpt = [
        patient("1966-05-05", "female"),
        procedure("m", "http://www.ama-assn.org/go/cpt", "77067", "2026-02-01"),
    ];
    assert!(by(&rules, "breast-screening", &by_cpt) == Met);
    assert!(rules.measure("kidney-evaluation").is_none());
    // Each of them says that it is no longer as it ships.
    for measure in &rules.measures {
        assert_eq!(measure.changed_by, ["tenant.toml"], "{}", measure.id);
    }
}

#[test]
fn a_change_to_what_several_measures_share_is_told_by_each_of_them() {
    let rules = load("[criteria.very-old-and-frail]\noff = true\n");
    let changed: Vec<&str> =
        rules.measures.iter().filter(|m| !m.changed_by.is_empty()).map(|m| m.id.as_str()).collect();
    assert_eq!(changed, ["blood-pressure-control"]);
    let old = [patient("1942-01-01", "male"), hypertension(), condition("f", ICD, "R54", "2026-02-01")];
    assert!(by(&rules, "blood-pressure-control", &old) == Gap);
}

#[test]
fn a_tenant_adds_a_measure_of_its_own() {
    let file = r#"
        [value_sets.ldl]
        title = "LDL cholesterol"
        category = "laboratory"
        loinc = ["13457-7", "18262-6", "2089-1"]

        [measures.ldl-in-diabetes]
        title = "Diabetes: LDL cholesterol"
        action = "Measure LDL cholesterol"
        period = "last-year"
        [measures.ldl-in-diabetes.publication]
        name = "House rule 12"
        steward = "General Hospital"
        year = 2026
        url = "https://hospital.example/rules/12"
        [measures.ldl-in-diabetes.population]
        age = { from = 40 }
        with = { condition = "diabetes" }
        [measures.ldl-in-diabetes.exclusions]
        hospice = { use = "hospice" }
        [measures.ldl-in-diabetes.requirement.last.ldl]
        codes = "ldl"
        below = "100"
        unit = "mg/dL"
        [measures.ldl-in-diabetes.requirement.last.ldl.convert.si]
        unit = "mmol/L"
        factor = "38.67"
        places = 0
    "#;
    let rules = load(file);
    assert_eq!(rules.measures.len(), 6);
    let ldl = |value: &str, unit: &str| {
        [patient("1966-05-05", "male"), diabetes(), observation("l", "13457-7", "2026-03-01", value, unit)]
    };
    assert!(by(&rules, "ldl-in-diabetes", &ldl("99", "mg/dL")) == Met);
    assert!(by(&rules, "ldl-in-diabetes", &ldl("100", "mg/dL")) == Gap);
    assert!(by(&rules, "ldl-in-diabetes", &ldl("2.5", "mmol/L")) == Met);
    assert!(by(&rules, "ldl-in-diabetes", &ldl("2.6", "mmol/L")) == Gap);
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place_and_what_to_do() {
    for (text, expected) in [
        ("measures = 1", "tenant.toml: measures: this must be a table of named tables"),
        (
            "[meazures.x]",
            "tenant.toml: meazures: there is no such part: use one of value_sets, criteria, measures",
        ),
        ("[measures.Upper]", "tenant.toml: measures.Upper: a name has 1 to 64 of a-z, 0-9 and '-'"),
        ("[measures.x]\ntitle = \"X\"", "tenant.toml: measures.x: \"action\" is missing"),
        (
            "[measures.breast-screening.requirement]\nsince = \"27 months\"",
            "tenant.toml: measures.breast-screening.requirement.since: \"27 months\" is not a length of time such as \"P9Y\", \"P1Y3M\" or \"P30D\"",
        ),
        (
            "[measures.breast-screening.requirement]\nsicne = \"P1Y\"",
            "tenant.toml: measures.breast-screening.requirement.sicne: there is no such key here: use one of off, what, use, any, all, age, condition, procedure, result, done, since, when, encounter, last",
        ),
        (
            "[measures.breast-screening.requirement]\nprocedure = \"colonoscopy\"",
            "tenant.toml: measures.breast-screening.requirement: use exactly one of any, all, age, condition, procedure, result, done, encounter, last, use",
        ),
        (
            "[measures.breast-screening.population.age]\nfrom = 80",
            "tenant.toml: measures.breast-screening.population.age: from is more than to: nobody is of that age",
        ),
        (
            "[measures.breast-screening.population.age]\nfrom = \"40\"",
            "tenant.toml: measures.breast-screening.population.age.from: this must be a whole number",
        ),
        (
            "[measures.breast-screening.population]\nsex = \"woman\"",
            "tenant.toml: measures.breast-screening.population.sex: \"woman\" is not one of female, male",
        ),
        (
            "[measures.blood-pressure-control.requirement.last.systolic]\nat_most = \"130\"",
            "tenant.toml: measures.blood-pressure-control.requirement.last.systolic: use exactly one of at_most, below, at_least, above",
        ),
        (
            "[measures.blood-pressure-control.requirement.last.systolic]\nbelow = 130",
            "tenant.toml: measures.blood-pressure-control.requirement.last.systolic.below: this must be a text in quotes",
        ),
        (
            "[measures.blood-pressure-control.requirement.last]\nsystolic.off = true\ndiastolic.off = true",
            "tenant.toml: measures.blood-pressure-control.requirement.last: name at least one value with its limit that is not off",
        ),
        (
            "[measures.colorectal-screening.requirement.any]\ncolonoscopy.off = true\nflexible-sigmoidoscopy.off = true\nct-colonography.off = true\nstool-dna.off = true\nfecal-occult-blood.off = true",
            "tenant.toml: measures.colorectal-screening.requirement.any: name at least one that is not off",
        ),
        (
            "[measures.breast-screening.requirement]\noff = true",
            "tenant.toml: measures.breast-screening: \"requirement\" is missing or off: switch the measure off instead",
        ),
        ("[value_sets.x]\ntitle = \"X\"", "tenant.toml: value_sets.x: a value set lists at least one code"),
        (
            "[value_sets.x]\ntitle = \"X\"\nicd10cm = [\"E*\"]",
            "tenant.toml: value_sets.x.icd10cm: a code has 1 to 32 characters, before a * at least 3",
        ),
        (
            "[value_sets.diabetes.add]\nicd11 = [\"5A11\"]",
            "tenant.toml: value_sets.diabetes.add.icd11: there is no such code system: use one of loinc, snomed, icd10cm, icd10, icd10pcs, icd9cm, hcpcs, cpt, cvx, act",
        ),
        (
            "[value_sets.diabetes.remove]\nicd10cm = [\"E11.9\"]",
            "tenant.toml: value_sets.diabetes.remove.icd10cm: \"E11.9\" is not in the list: write it as it stands there",
        ),
        (
            "[criteria.a]\nuse = \"b\"\n[criteria.b]\nuse = \"a\"",
            "tenant.toml: criteria.a: criteria stand at most 8 deep, \"use\" counted",
        ),
        (
            "[criteria.a]\nresult = \"colonoscopy\"",
            "tenant.toml: criteria.a.result: results are read by category: give the value set \"colonoscopy\" one",
        ),
        (
            "[criteria.a]\ncondition = \"diabetes\"\nwhen = \"ever\"\nstarted_within = \"P1Y\"",
            "tenant.toml: criteria.a: use started_within or when, not both",
        ),
        ("[measures.x", "tenant.toml: the file: unclosed table, expected `]`"),
    ] {
        let wrong = RuleSet::with(&[RuleFile { name: "tenant.toml", text }]);
        let Err(wrong) = wrong else { panic!("this was taken: {text}") };
        assert_eq!(wrong.to_string(), expected, "{text}");
    }
    let long = "#".repeat(1024 * 1024 + 1);
    assert!(RuleSet::with(&[RuleFile { name: "long.toml", text: &long }]).is_err());
    let unknown = RuleSet::with(&[RuleFile { name: "a.toml", text: "[criteria.a]\ncondition = \"gout\"" }]);
    let Err(unknown) = unknown else { panic!("there is no value set gout") };
    assert!(
        unknown.problem.starts_with("there is no value set \"gout\": use one of advanced-illness, "),
        "{unknown}"
    );
}

#[test]
fn the_file_that_is_blamed_is_the_one_that_said_it() {
    let first =
        RuleFile { name: "first.toml", text: "[measures.breast-screening.population.age]\nfrom = 80" };
    let second =
        RuleFile { name: "second.toml", text: "[measures.breast-screening]\ntitle = \"Mammograms\"" };
    let Err(wrong) = RuleSet::with(&[first, second]) else { panic!("from is more than to") };
    assert_eq!(wrong.file, "first.toml");
}

#[test]
fn a_later_file_wins_key_by_key() {
    let first =
        RuleFile { name: "1.toml", text: "[measures.breast-screening]\ntitle = \"One\"\naction = \"First\"" };
    let second = RuleFile { name: "2.toml", text: "[measures.breast-screening]\ntitle = \"Two\"" };
    let rules = RuleSet::with(&[first, second]).unwrap();
    let measure = rules.measure("breast-screening").unwrap();
    assert_eq!((measure.title.as_str(), measure.action.as_str()), ("Two", "First"));
    assert_eq!(measure.changed_by, ["1.toml", "2.toml"]);
    assert!(matches!(measure.requirement.test, Test::Found { .. }));
}
