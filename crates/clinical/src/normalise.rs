//! From answers to a section: each resource alone, so that one that is malformed costs one line and not the section.

use sallyport_model::Micros;

use crate::{
    ChartSection, Content, Context, ProblemKind, ReadProblem, Section, SectionState, allergies, banner,
    careteam, conditions, coverage, documents, encounters, immunizations, medications, observations,
    parse::Reading, procedures,
};

/// One resource as the EHR sent it: the JSON of a read, or of one `entry.resource` of a searchset.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The JSON of the resource.
    pub resource: &'a [u8],
    /// When it was read.
    pub read_at: Micros,
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[resource]")
    }
}

/// Makes a section of what was read (in both rounds) and of what could not be.
///
/// Never fails: a resource that cannot be understood becomes one more problem. Resources of a type that the section
/// does not use are left out.
pub fn normalise(
    section: Section,
    context: &Context<'_>,
    inputs: &[Input<'_>],
    problems: Vec<ReadProblem>,
) -> ChartSection {
    let mut reading = Reading::new(context, inputs, problems);
    let content = match section {
        Section::Banner => {
            banner::read(&mut reading).map_or(Content::Nothing, |banner| Content::Banner(Box::new(banner)))
        }
        Section::Problems => Content::Problems { items: conditions::read(&mut reading) },
        Section::Medications => Content::Medications { items: medications::read(&mut reading) },
        Section::Allergies => Content::Allergies(allergies::read(&mut reading)),
        Section::Vitals => Content::Vitals(observations::read(&mut reading)),
        Section::Results => Content::Results(observations::read(&mut reading)),
        Section::Encounters => Content::Encounters { items: encounters::read(&mut reading) },
        Section::Documents => Content::Documents { items: documents::read(&mut reading) },
        Section::Immunizations => Content::Immunizations { items: immunizations::read(&mut reading) },
        Section::Procedures => Content::Procedures { items: procedures::read(&mut reading) },
        Section::Careteam => Content::Careteam { items: careteam::read(&mut reading) },
        Section::Coverage => Content::Coverage { items: coverage::read(&mut reading) },
    };
    let problems = reading.into_problems();
    let state = state(inputs.is_empty() || content == Content::Nothing, &problems);
    let content = match state {
        SectionState::Complete | SectionState::Partial => content,
        SectionState::Failed | SectionState::NotGranted | SectionState::Withheld => Content::Nothing,
    };
    ChartSection {
        section,
        state,
        read_at: inputs.iter().map(|input| input.read_at).min(),
        resources: inputs.len(),
        problems,
        content,
    }
}

/// With nothing read, the gravest reason names the state: a failure hides what a missing permission would explain.
fn state(nothing_read: bool, problems: &[ReadProblem]) -> SectionState {
    let any = |kind| problems.iter().any(|p| p.kind == kind);
    if problems.is_empty() {
        SectionState::Complete
    } else if !nothing_read {
        SectionState::Partial
    } else if any(ProblemKind::Failed) {
        SectionState::Failed
    } else if any(ProblemKind::Withheld) {
        SectionState::Withheld
    } else if any(ProblemKind::NotGranted) {
        SectionState::NotGranted
    } else {
        SectionState::Partial
    }
}
