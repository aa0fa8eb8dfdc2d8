//! A patient's record as a judgement needs it: normalised, only of this patient, and with what is missing from it.

use std::collections::BTreeMap;

use sallyport_clinical::{
    Content, Context, Input, ReadProblem, Section, banner::Banner, conditions::Condition,
    encounters::Encounter, normalise, observations::Observation, procedures::Procedure,
};
use sallyport_fhir::{
    Base, Envelope, Limits,
    compartment::{Verdict, verdict},
};
use sallyport_model::Patients;

/// A kind of entry that rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Patient.
    Patient,
    /// Condition.
    Condition,
    /// Observation.
    Observation,
    /// Procedure.
    Procedure,
    /// Encounter.
    Encounter,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::Patient, Self::Condition, Self::Observation, Self::Procedure, Self::Encounter];

    /// The FHIR resource type.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Patient => "Patient",
            Self::Condition => "Condition",
            Self::Observation => "Observation",
            Self::Procedure => "Procedure",
            Self::Encounter => "Encounter",
        }
    }

    /// What a person calls them.
    pub fn words(self) -> &'static str {
        match self {
            Self::Patient => "the patient's own data",
            Self::Condition => "diagnoses",
            Self::Observation => "results and vital signs",
            Self::Procedure => "procedures",
            Self::Encounter => "visits",
        }
    }

    fn section(self) -> Section {
        match self {
            Self::Patient => Section::Banner,
            Self::Condition => Section::Problems,
            Self::Observation => Section::Results,
            Self::Procedure => Section::Procedures,
            Self::Encounter => Section::Encounters,
        }
    }
}

/// What was read of one kind.
pub struct Read<'a> {
    /// Which.
    pub kind: Kind,
    /// The resources.
    pub inputs: &'a [Input<'a>],
    /// What could not be read: with any of these, "not found" is not "not there".
    pub problems: Vec<ReadProblem>,
}

/// A patient's record. Holds patient data: no `Debug`.
pub struct Record {
    pub(crate) patient: Option<Banner>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) observations: Vec<Observation>,
    pub(crate) procedures: Vec<Procedure>,
    pub(crate) encounters: Vec<Encounter>,
    /// What is missing, in sentences; a kind that is not a key was not read at all.
    missing: BTreeMap<Kind, Vec<String>>,
}

impl Record {
    /// Makes the record of the patient of `context`. What is another patient's is left out, whoever let it through; what
    /// does not say whose it is, too, and that is told.
    pub fn new(context: &Context<'_>, reads: Vec<Read<'_>>) -> Self {
        let base = Base::parse(context.fhir_base);
        let patients = Patients::One(context.patient.clone());
        let mut record = Self {
            patient: None,
            conditions: Vec::new(),
            observations: Vec::new(),
            procedures: Vec::new(),
            encounters: Vec::new(),
            missing: BTreeMap::new(),
        };
        for Read { kind, inputs, problems } in reads {
            let mut unsure = 0_usize;
            let own: Vec<Input<'_>> = inputs
                .iter()
                .copied()
                .filter(|input| {
                    let whose = whose(input, &patients, base.as_ref());
                    unsure += usize::from(whose == Whose::NotSaid);
                    whose == Whose::Own || sallyport_model::planted!("care-gap-foreign-evidence")
                })
                .collect();
            let section = normalise(kind.section(), context, &own, problems);
            let missing = record.missing.entry(kind).or_default();
            missing.extend(section.problems.iter().map(|problem| problem.message.clone()));
            if unsure > 0 {
                missing.push("An entry does not say whose it is.".to_owned());
            }
            record.take(section.content);
        }
        record
    }

    fn take(&mut self, content: Content) {
        match content {
            Content::Banner(banner) => self.patient = Some(*banner),
            Content::Problems { items } => self.conditions.extend(items),
            Content::Vitals(found) | Content::Results(found) => self.observations.extend(found.items),
            Content::Procedures { items } => self.procedures.extend(items),
            Content::Encounters { items } => self.encounters.extend(items),
            Content::Nothing
            | Content::Medications { .. }
            | Content::Allergies(_)
            | Content::Documents { .. }
            | Content::Immunizations { .. }
            | Content::Careteam { .. }
            | Content::Coverage { .. } => {}
        }
    }

    /// Why "not found" among that kind is not "not there"; `None` when everything was read.
    pub(crate) fn incomplete(&self, kind: Kind) -> Option<String> {
        match self.missing.get(&kind) {
            None => Some(format!("Not everything is known: {} were not read.", kind.words())),
            Some(missing) => {
                let first = missing.first()?;
                Some(format!("Not everything is known of {}: {first}", kind.words()))
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Another,
    NotSaid,
}

/// What cannot be read at all counts as not said: the normaliser tells it as well.
fn whose(input: &Input<'_>, patients: &Patients, base: Option<&Base>) -> Whose {
    let Some(base) = base else { return Whose::NotSaid };
    match Envelope::parse(input.resource, &Limits::default()).map(|sent| verdict(&sent, patients, base)) {
        Ok(Verdict::Ours) => Whose::Own,
        Ok(Verdict::Foreign) => Whose::Another,
        Ok(Verdict::Shared | Verdict::Attached | Verdict::Unverifiable) | Err(_) => Whose::NotSaid,
    }
}
