//! Value sets: the codes by which a rule knows what it looks for, and how what an EHR sent is compared with them.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_clinical::concept::{Coding, Concept};

/// A code system that rules can name.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeSystem {
    /// Its name in rule files.
    pub name: &'static str,
    /// Its URI.
    pub uri: &'static str,
    /// The OID under which v2 and CDA know it.
    oid: &'static str,
    /// A dot in its codes only makes them easier to read (ICD).
    dots_are_decoration: bool,
}

/// Every code system that rules can name. Codes of CPT are the American Medical Association's: none ships here, a tenant
/// with a licence may name its own.
pub const SYSTEMS: &[CodeSystem] = &[
    system("loinc", "http://loinc.org", "2.16.840.1.113883.6.1"),
    system("snomed", "http://snomed.info/sct", "2.16.840.1.113883.6.96"),
    icd("icd10cm", "http://hl7.org/fhir/sid/icd-10-cm", "2.16.840.1.113883.6.90"),
    icd("icd10", "http://hl7.org/fhir/sid/icd-10", "2.16.840.1.113883.6.3"),
    icd("icd10pcs", "http://www.cms.gov/Medicare/Coding/ICD10", "2.16.840.1.113883.6.4"),
    icd("icd9cm", "http://hl7.org/fhir/sid/icd-9-cm", "2.16.840.1.113883.6.103"),
    system("hcpcs", "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "2.16.840.1.113883.6.285"),
    system("cpt", "http://www.ama-assn.org/go/cpt", "2.16.840.1.113883.6.12"),
    system("cvx", "http://hl7.org/fhir/sid/cvx", "2.16.840.1.113883.12.292"),
    system("act", "http://terminology.hl7.org/CodeSystem/v3-ActCode", "2.16.840.1.113883.5.4"),
];

const fn system(name: &'static str, uri: &'static str, oid: &'static str) -> CodeSystem {
    CodeSystem { name, uri, oid, dots_are_decoration: false }
}

const fn icd(name: &'static str, uri: &'static str, oid: &'static str) -> CodeSystem {
    CodeSystem { name, uri, oid, dots_are_decoration: true }
}

impl CodeSystem {
    /// The system of that name in rule files.
    pub fn named(name: &str) -> Option<&'static Self> {
        SYSTEMS.iter().find(|system| system.name == name)
    }

    fn is_sent_as(&self, uri: &str) -> bool {
        uri == self.uri || uri.strip_prefix("urn:oid:") == Some(self.oid)
    }

    /// One spelling for a code: vendors send ICD with and without its dot, in either case.
    fn spelled(&self, code: &str) -> String {
        if self.dots_are_decoration {
            code.chars().filter(|c| *c != '.').map(|c| c.to_ascii_uppercase()).collect()
        } else {
            code.to_owned()
        }
    }
}

/// How a concept compares with a value set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match<'c> {
    /// It carries a code of the set.
    Code(&'c Coding),
    /// It may be what is looked for: it carries a code that says too little, or no code of the set's systems and a name of
    /// the set.
    Suspected,
    /// It is something else.
    No,
}

/// Codes of one system: listed ones, and prefixes (`E11*`: that category and all below it).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// Codes as they stand.
    pub codes: BTreeSet<String>,
    /// Beginnings of codes.
    pub prefixes: Vec<String>,
}

/// A named list of codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueSet {
    /// Its name in rules.
    pub id: String,
    /// What it stands for, in words.
    pub title: String,
    /// The published list that it is taken from: an OID of VSAC, or an address.
    pub source: Option<String>,
    /// The category under which EHRs file such observations (US Core), for the search.
    pub category: Option<String>,
    /// The codes, by the system's name.
    pub systems: Lists,
    /// Codes that say too little to be sure, by the system's name.
    pub unsure: Lists,
    /// Names, in lower case, by which an entry without a code is suspected to be one of these.
    pub names: BTreeSet<String>,
}

impl ValueSet {
    /// Compares what an EHR sent.
    pub fn compare<'c>(&self, concept: &'c Concept) -> Match<'c> {
        if let Some(coding) = concept.codings.iter().find(|coding| has(&self.systems, coding)) {
            return Match::Code(coding);
        }
        if concept.codings.iter().any(|coding| has(&self.unsure, coding)) {
            return Match::Suspected;
        }
        let has_a_code_of_ours = concept
            .codings
            .iter()
            .any(|coding| coding.code.is_some() && self.systems.keys().any(|name| is_of(name, coding)));
        let is_named = || {
            let displays = concept.codings.iter().filter_map(|c| c.display.as_deref());
            displays
                .chain([concept.name.as_str()])
                .any(|name| self.names.contains(&name.trim().to_lowercase()))
        };
        if !has_a_code_of_ours && is_named() { Match::Suspected } else { Match::No }
    }

    /// How many codes and prefixes are listed.
    pub fn len(&self) -> usize {
        self.systems.values().map(|listed| listed.codes.len() + listed.prefixes.len()).sum()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a code of that system; `*` at its end makes it a prefix. The error says what is wrong with the code.
    pub(crate) fn add(&mut self, system: &'static CodeSystem, code: &str) -> Result<(), &'static str> {
        list(&mut self.systems, system, code)
    }

    /// Adds a code that says too little to be sure.
    pub(crate) fn add_unsure(&mut self, system: &'static CodeSystem, code: &str) -> Result<(), &'static str> {
        list(&mut self.unsure, system, code)
    }

    /// Takes a code out again, written as it was listed; whether it was there.
    pub(crate) fn remove(&mut self, system: &'static CodeSystem, code: &str) -> bool {
        let Some(listed) = self.systems.get_mut(system.name) else { return false };
        match code.strip_suffix('*') {
            Some(bare) => {
                let (before, bare) = (listed.prefixes.len(), system.spelled(bare));
                listed.prefixes.retain(|prefix| *prefix != bare);
                listed.prefixes.len() < before
            }
            None => listed.codes.remove(&system.spelled(code)),
        }
    }
}

/// Codes by their system's name.
pub type Lists = BTreeMap<&'static str, Listed>;

fn has(lists: &Lists, coding: &Coding) -> bool {
    let Some(code) = coding.code.as_deref() else { return false };
    lists.iter().filter(|(name, _)| is_of(name, coding)).any(|(name, listed)| {
        let code = CodeSystem::named(name).map_or_else(|| code.to_owned(), |system| system.spelled(code));
        listed.codes.contains(&code) || listed.prefixes.iter().any(|prefix| code.starts_with(prefix.as_str()))
    })
}

fn list(into: &mut Lists, system: &'static CodeSystem, code: &str) -> Result<(), &'static str> {
    let (bare, is_prefix) = match code.strip_suffix('*') {
        Some(bare) => (bare, true),
        None => (code, false),
    };
    // A short prefix would take in whole chapters: one letter of ICD is a fifth of all diagnoses.
    let shortest = if is_prefix { 3 } else { 1 };
    if bare.len() < shortest || bare.len() > 32 {
        return Err("a code has 1 to 32 characters, before a * at least 3");
    }
    if !bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')) {
        return Err("a code has letters, digits, '.' and '-', and a * at its end alone");
    }
    let listed = into.entry(system.name).or_default();
    let bare = system.spelled(bare);
    if !is_prefix {
        listed.codes.insert(bare);
    } else if !listed.prefixes.contains(&bare) {
        listed.prefixes.push(bare);
    }
    Ok(())
}

fn is_of(name: &str, coding: &Coding) -> bool {
    let sent = coding.system.as_deref();
    CodeSystem::named(name).is_some_and(|system| sent.is_some_and(|sent| system.is_sent_as(sent)))
}

#[cfg(test)]
mod tests {
    use sallyport_clinical::concept::{CodeFrom, NameFrom};

    use super::*;

    fn set(codes: &[(&str, &str)], names: &[&str]) -> ValueSet {
        let mut set = ValueSet {
            id: "s".into(),
            title: "S".into(),
            source: None,
            category: None,
            systems: BTreeMap::new(),
            unsure: BTreeMap::new(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
        };
        for (system, code) in codes {
            set.add(CodeSystem::named(system).unwrap(), code).unwrap();
        }
        set
    }

    fn concept(name: &str, codings: &[(Option<&str>, &str)]) -> Concept {
        let coding = |(system, code): &(Option<&str>, &str)| Coding {
            system: system.map(|s| s.to_owned().into()),
            code: Some((*code).to_owned()),
            display: None,
            user_selected: false,
        };
        Concept {
            name: name.to_owned(),
            name_from: NameFrom::Text,
            code: None,
            code_from: CodeFrom::None,
            codings: codings.iter().map(coding).collect(),
        }
    }

    #[test]
    fn a_code_counts_with_its_system_only() {
        let diabetes = set(&[("icd10cm", "E11*"), ("snomed", "44054006")], &[]);
        for (system, code, is_in) in [
            ("http://hl7.org/fhir/sid/icd-10-cm", "E11.9", true),
            ("http://hl7.org/fhir/sid/icd-10-cm", "e119", true),
            ("urn:oid:2.16.840.1.113883.6.90", "E11", true),
            ("http://hl7.org/fhir/sid/icd-10-cm", "E1", false),
            ("http://hl7.org/fhir/sid/icd-10-cm", "E10.9", false),
            ("http://hl7.org/fhir/sid/icd-10", "E11.9", false),
            ("http://snomed.info/sct", "44054006", true),
            ("http://snomed.info/sct", "440540061", false),
            ("http://loinc.org", "44054006", false),
            ("http://snomed.info/sct/", "44054006", false),
        ] {
            let sent = concept("x", &[(None, "44054006"), (Some(system), code)]);
            assert_eq!(matches!(diabetes.compare(&sent), Match::Code(_)), is_in, "{system} {code}");
        }
    }

    #[test]
    fn a_name_is_a_suspicion_only_where_no_code_says_otherwise() {
        let a1c = set(&[("loinc", "4548-4")], &["hemoglobin a1c"]);
        let local = Some("urn:local");
        assert_eq!(a1c.compare(&concept("Hemoglobin A1c ", &[(local, "77")])), Match::Suspected);
        assert_eq!(a1c.compare(&concept("Hemoglobin A1c", &[])), Match::Suspected);
        assert_eq!(
            a1c.compare(&concept("Hemoglobin A1c", &[(Some("http://loinc.org"), "2345-7")])),
            Match::No
        );
        assert_eq!(a1c.compare(&concept("Hemoglobin A1c goal", &[])), Match::No);
    }

    #[test]
    fn codes_are_checked_and_can_be_taken_out() {
        let mut codes = set(&[("icd10cm", "E11*"), ("icd10cm", "E10.9")], &[]);
        let icd = CodeSystem::named("icd10cm").unwrap();
        for bad in ["", "E*", "E1*", "*", "E1*1", "E 11", &"9".repeat(33)] {
            assert!(codes.add(icd, bad).is_err(), "{bad}");
        }
        assert!(codes.remove(icd, "E11*") && codes.remove(icd, "E109") && !codes.remove(icd, "E11*"));
        assert!(codes.is_empty());
    }
}
