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
    mut problems: Vec<ReadProblem>,
) -> ChartSection {
    if !context.fhir_version.maps(section) {
        problems.push(ReadProblem::not_mapped(context.fhir_version));
        return section_of(section, context, &[], problems, Content::Nothing);
    }
    let reading = Reading::new(context, inputs, problems);
    let content = match section {
        Section::Banner => {
            banner::read(&reading).map_or(Content::Nothing, |banner| Content::Banner(Box::new(banner)))
        }
        Section::Problems => Content::Problems { items: conditions::read(&reading) },
        Section::Medications => Content::Medications { items: medications::read(&reading) },
        Section::Allergies => Content::Allergies(allergies::read(&reading)),
        Section::Vitals => Content::Vitals(observations::read(&reading)),
        Section::Results => Content::Results(observations::read(&reading)),
        Section::Encounters => Content::Encounters { items: encounters::read(&reading) },
        Section::Documents => Content::Documents { items: documents::read(&reading) },
        Section::Immunizations => Content::Immunizations { items: immunizations::read(&reading) },
        Section::Procedures => Content::Procedures { items: procedures::read(&reading) },
        Section::Careteam => Content::Careteam { items: careteam::read(&reading) },
        Section::Coverage => Content::Coverage { items: coverage::read(&reading) },
    };
    section_of(section, context, inputs, reading.into_problems(), content)
}

fn section_of(
    section: Section,
    context: &Context<'_>,
    inputs: &[Input<'_>],
    problems: Vec<ReadProblem>,
    content: Content,
) -> ChartSection {
    let state = state(inputs.is_empty() || content == Content::Nothing, &problems);
    let content = match state {
        SectionState::Complete | SectionState::Partial => content,
        SectionState::Failed | SectionState::NotGranted | SectionState::Withheld => Content::Nothing,
    };
    ChartSection {
        section,
        state,
        fhir_version: context.fhir_version,
        mapping: context.mapping,
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
