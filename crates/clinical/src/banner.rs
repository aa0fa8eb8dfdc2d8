//! The patient banner: who this is, by the rules of the NHS CUI patient banner guidance.

mod name;

pub use name::PersonName;

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::Date,
    encounters::{self, Encounter},
    parse::{
        Reading, Source,
        datatypes::{
            Address, CodeableConcept, ContactPoint, Element, Extension, HumanName, Identifier, Reference,
            resource, shape,
        },
        primitives::{List, Str, owned, text},
    },
    record::Record,
    value::{Absent, Value},
};

/// A value with the label to show before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Labelled {
    /// The label, without a colon.
    pub label: String,
    /// The value.
    pub value: Value<String>,
}

/// A patient identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PatientIdentifier {
    /// `MRN` for the medical record number, else the type's name.
    pub label: String,
    /// The number.
    pub value: Value<String>,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<String>,
    /// The system's URI as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system: Option<String>,
    /// It is the medical record number.
    pub is_mrn: bool,
}

/// The patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Banner {
    /// The resource.
    pub record: Record,
    /// The official name.
    pub name: Value<PersonName>,
    /// What the patient likes to be called, when it differs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preferred_name: Option<Value<PersonName>>,
    /// Date of birth.
    pub birth_date: Value<Date>,
    /// Death was recorded.
    pub is_deceased: bool,
    /// Date of death.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deceased: Option<Value<Date>>,
    /// Administrative gender, in words.
    pub gender: Value<String>,
    /// Birth sex, legal sex, gender identity, pronouns, race, ethnicity, as sent.
    pub about: Vec<Labelled>,
    /// Identifiers, the medical record number first. National identity numbers are left out and noted.
    pub identifiers: Vec<PatientIdentifier>,
    /// Addresses in one line each.
    pub addresses: Vec<Value<String>>,
    /// Telephone numbers and mail addresses.
    pub contacts: Vec<Labelled>,
    /// Languages, the preferred one first.
    pub languages: Vec<Value<Concept>>,
    /// General practitioners.
    pub practitioners: Vec<Value<String>>,
    /// The EHR marked the record as not in use.
    pub is_inactive: bool,
    /// The EHR says that another record replaces this one.
    pub is_replaced: bool,
    /// The encounter of the launch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub encounter: Option<Encounter>,
}

resource! {
    Resource {
        extension: List<Extension<'a>>,
        active: Option<bool>,
        identifier: List<Identifier<'a>>,
        name: List<HumanName<'a>>,
        #[serde(rename = "_name")]
        name_elements: List<Element<'a>>,
        gender: Option<Str<'a>>,
        #[serde(rename = "_gender")]
        gender_element: Option<Element<'a>>,
        birth_date: Option<Str<'a>>,
        #[serde(rename = "_birthDate")]
        birth_date_element: Option<Element<'a>>,
        deceased_boolean: Option<bool>,
        deceased_date_time: Option<Str<'a>>,
        address: List<Address<'a>>,
        telecom: List<ContactPoint<'a>>,
        communication: List<Communication<'a>>,
        general_practitioner: List<Reference<'a>>,
        link: List<Link<'a>>,
    }
}

shape! { Communication { language: Option<CodeableConcept<'a>>, preferred: Option<bool> } }
shape! {
    Link {
        #[serde(rename = "type")]
        kind: Option<Str<'a>>,
    }
}

/// The banner; `None` when no Patient could be read. Of several, the one of the launch.
pub(crate) fn read(reading: &Reading<'_>) -> Option<Banner> {
    let own = format!("Patient/{}", reading.context.patient.expose());
    let patients = reading.each("Patient", |source, record, r| {
        (source.reference().as_ref() == own).then(|| banner(source, record, r))
    });
    let banner = patients.into_iter().flatten().next()?;
    Some(Banner { encounter: encounters::in_context(reading), ..banner })
}

fn banner(source: &Source, mut record: Record, r: &Resource<'_>) -> Banner {
    let (name, preferred_name) = name::names(source, &r.name, &r.name_elements);
    let birth_date = source.date("Patient.birthDate", &r.birth_date, &r.birth_date_element);
    let gender = source.string("Patient.gender", &r.gender, &r.gender_element);
    let (national, shown): (Vec<_>, Vec<_>) = r.identifier.iter().partition(|i| is_national_identity(i));
    if !national.is_empty() {
        record
            .notes
            .push("A national identity number was sent; it is not needed here and not shown.".to_owned());
    }
    let mut identifiers: Vec<PatientIdentifier> =
        shown.into_iter().filter_map(|i| identifier(source, i)).collect();
    identifiers.sort_by_key(|i| !i.is_mrn);
    let mut languages: Vec<&Communication<'_>> = r.communication.iter().collect();
    languages.sort_by_key(|c| c.preferred != Some(true));
    let ended = text(&r.deceased_date_time).is_some();
    Banner {
        name,
        preferred_name,
        birth_date: birth_date
            .unwrap_or_else(|| Value::absent(Absent::NotSent, source.core("Patient.birthDate"))),
        is_deceased: r.deceased_boolean == Some(true) || ended,
        deceased: source.date("Patient.deceasedDateTime", &r.deceased_date_time, &None),
        gender: gender
            .map_or_else(|| Value::absent(Absent::NotSent, source.core("Patient.gender")), gender_in_words),
        about: r.extension.iter().filter_map(|e| about(source, &record, e)).collect(),
        identifiers,
        addresses: r
            .address
            .iter()
            .filter(|a| text(&a.usage) != Some("old"))
            .filter_map(|a| Some(Value::known(address_line(a)?, source.core("Patient.address"))))
            .collect(),
        contacts: r.telecom.iter().filter_map(|c| contact(source, c)).collect(),
        languages: languages
            .into_iter()
            .filter_map(|c| source.concept("Patient.communication.language", &c.language, Wanted::Any))
            .collect(),
        practitioners: r
            .general_practitioner
            .iter()
            .filter_map(|p| {
                Some(Value::known(owned(&p.display)?, source.core("Patient.generalPractitioner")))
            })
            .collect(),
        is_inactive: r.active == Some(false),
        is_replaced: r.link.iter().any(|l| text(&l.kind) == Some("replaced-by")),
        encounter: None,
        record,
    }
}

/// R4 administrative-gender in words; a code that is none of its four stays as sent.
fn gender_in_words(gender: Value<String>) -> Value<String> {
    let Value { value: Some(code), absent, source } = gender else { return gender };
    match code.as_str() {
        "male" => Value::known("Male".to_owned(), source),
        "female" => Value::known("Female".to_owned(), source),
        "other" => Value::known("Other".to_owned(), source),
        "unknown" => Value::absent(Absent::Unknown, source),
        _ => Value { value: Some(code), absent, source },
    }
}

fn has_type(identifier: &Identifier<'_>, codes: &[&str]) -> bool {
    let codings = identifier.kind.as_ref().map(|k| &*k.coding).unwrap_or_default();
    codings.iter().filter_map(|c| text(&c.code)).any(|code| codes.contains(&code))
}

/// Numbers that identify a person to the state (v2 table 0203: SS, NI, NNxxx, PPN, DL; the systems of US and UK).
fn is_national_identity(identifier: &Identifier<'_>) -> bool {
    let system = text(&identifier.system).unwrap_or_default();
    has_type(identifier, &["SS", "SB", "PPN", "DL", "TAX"])
        || ["http://hl7.org/fhir/sid/us-ssn", "urn:oid:2.16.840.1.113883.4.1"].contains(&system)
}

fn identifier(source: &Source, i: &Identifier<'_>) -> Option<PatientIdentifier> {
    let value = source.string("Patient.identifier.value", &i.value, &i.value_element)?;
    let name = i.kind.as_ref().and_then(|k| source.choose(k, Wanted::Any)).map(|c| c.name);
    let named_mrn = name
        .as_deref()
        .is_some_and(|n| ["mrn", "mr", "medical record number"].contains(&n.to_lowercase().as_str()));
    let ended = text(&i.usage) == Some("old");
    let is_mrn = (has_type(i, &["MR"]) || named_mrn) && !ended;
    let label = if is_mrn { "MRN".to_owned() } else { name.unwrap_or_else(|| "Identifier".to_owned()) };
    let issuer = i.assigner.as_ref().and_then(|a| owned(&a.display));
    Some(PatientIdentifier { label, value, issuer, system: owned(&i.system), is_mrn })
}

fn address_line(a: &Address<'_>) -> Option<String> {
    if let Some(text) = owned(&a.text) {
        return Some(text.replace('\n', ", "));
    }
    let lines = a.line.iter().filter_map(Str::text);
    let parts: Vec<&str> = lines
        .chain([&a.city, &a.state, &a.postal_code, &a.country].into_iter().filter_map(|part| text(part)))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn contact(source: &Source, c: &ContactPoint<'_>) -> Option<Labelled> {
    let value = source.string("Patient.telecom", &c.value, &None)?;
    let system = match text(&c.system) {
        Some("phone") => "Phone",
        Some("email") => "Mail",
        Some("fax") => "Fax",
        _ => "Contact",
    };
    let label = text(&c.usage).map_or_else(|| system.to_owned(), |usage| format!("{system} ({usage})"));
    Some(Labelled { label, value })
}

/// The patient extensions that a clinician needs, of US Core, HL7 and Epic; all others stay in the source.
fn about(source: &Source, record: &Record, e: &Extension<'_>) -> Option<Labelled> {
    let url = text(&e.url)?;
    let (_, last) = url.rsplit_once('/')?;
    let label = match last {
        "us-core-birthsex" | "argo-birthsex" => "Birth sex",
        "us-core-sex" => "Sex",
        "us-core-genderIdentity" | "patient-genderIdentity" => "Gender identity",
        "us-core-race" | "argo-race" => "Race",
        "us-core-ethnicity" | "argo-ethnicity" => "Ethnicity",
        "legal-sex" => "Legal sex",
        "sex-for-clinical-use" => "Sex for clinical use",
        "calculated-pronouns-to-use-for-text" => "Pronouns",
        _ => return None,
    };
    let part = |name: &str| e.extension.iter().find(|part| text(&part.url) == Some(name));
    let concept =
        e.value_codeable_concept.as_ref().and_then(|c| source.choose(c, Wanted::Any)).map(|c| c.name);
    let coded = e.value_code.as_ref().or(e.value_string.as_ref()).and_then(Str::text);
    let value = concept
        .or_else(|| part("text").and_then(|p| owned(&p.value_string)))
        .or_else(|| {
            part("value")
                .and_then(|p| source.choose(p.value_codeable_concept.as_ref()?, Wanted::Any))
                .map(|c| c.name)
        })
        .or_else(|| coded.map(|code| sex_in_words(code).to_owned()))
        .or_else(|| e.value_coding.as_ref().and_then(|c| owned(&c.display)))?;
    let origin = source.extension(url, "Patient.extension", &record.profiles);
    let value = match value.as_str() {
        "UNK" | "ASKU" | "asked-unknown" | "unknown" => Value::absent(Absent::from_code(&value), origin),
        _ => Value::known(value, origin),
    };
    Some(Labelled { label: label.to_owned(), value })
}

/// Codes of US Core birth sex (v3 AdministrativeGender) and US Core sex (SNOMED CT).
fn sex_in_words(code: &str) -> &str {
    match code {
        "F" | "248152002" => "Female",
        "M" | "248153007" => "Male",
        "OTH" => "Other",
        other => other,
    }
}
