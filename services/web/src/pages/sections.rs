//! The sections: a card with its heading and count, the rows, and what to say when there are none.

mod lists;
mod medications;
mod observations;
mod other;
mod problems;
mod rows;
mod vitals;

use maud::{Markup, html};
use sallyport_clinical::{ChartSection, Content, ProblemKind, ReadProblem, Section, SectionState};
use sallyport_model::Code;

use super::{
    origin::record_button,
    words::{Tone, icon, said},
};
use crate::domain::{
    page::{Page, heading},
    view::View,
};

/// What came of asking for a section.
pub(crate) enum Shown {
    /// It was read, whole or in part.
    Section(Box<ChartSection>),
    /// The gateway refused or failed.
    Refused(Code),
    /// It did not arrive within this page's patience.
    Late,
}

impl Shown {
    pub(crate) fn of(answer: Result<ChartSection, Code>) -> Self {
        match answer {
            Ok(section) => Self::Section(Box::new(section)),
            Err(code) => Self::Refused(code),
        }
    }

    pub(crate) fn section(&self) -> Option<&ChartSection> {
        match self {
            Self::Section(section) => Some(section),
            Self::Refused(_) | Self::Late => None,
        }
    }
}

/// How much of a section a page shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// At most so many rows, `usize::MAX` on the section's own page.
    rows: usize,
    /// It is the section's own page: what does not count is listed too.
    is_whole: bool,
}

fn extent(page: Page, section: Section) -> Extent {
    if page != Page::Summary {
        return Extent { rows: usize::MAX, is_whole: true };
    }
    let rows = match section {
        Section::Results => 8,
        Section::Vitals => 8,
        Section::Encounters | Section::Documents | Section::Allergies => 4,
        _ => 6,
    };
    Extent { rows, is_whole: false }
}

/// A drawn section: its rows, how many there are in all, and whether more are elsewhere.
pub(super) struct Drawn {
    body: Markup,
    /// How many entries count.
    count: usize,
    /// What the own page has beyond this one, in words.
    rest: Option<String>,
}

/// A section in its reserved place.
pub(crate) fn section(view: &View, page: Page, which: Section, shown: &Shown) -> Markup {
    let extent = extent(page, which);
    let drawn = shown.section().and_then(|s| draw(view, extent, &s.content));
    let id = format!("heading-{which}");
    html! {
        section.card slot=(which.as_str()) id=(which.as_str()) aria-labelledby=(id) {
            header.card-head {
                h2 id=(id) {
                    (heading(which))
                    @if let Some(drawn) = &drawn {
                        @if drawn.count > 0 { " " span.count { "(" (drawn.count) (if is_incomplete(shown) { ", incomplete" } else { "" }) ")" } }
                    }
                }
                @if !extent.is_whole {
                    a.all href=(view.href(Page::of(which))) aria-label=(format!("All {}", heading(which).to_lowercase())) { "All" }
                }
            }
            @match (shown, drawn) {
                (Shown::Section(read), Some(drawn)) => {
                    (gaps(&read.problems))
                    (drawn.body)
                    @if let Some(rest) = drawn.rest { p.rest { a href=(view.href(Page::of(which))) { (rest) } } }
                },
                (Shown::Section(read), None) => (nothing(view, page, read)),
                (Shown::Refused(code), _) => (failed(view, page, code.sentence(), code.next_step())),
                (Shown::Late, _) => {
                    p.state.warning { (icon(Tone::Warning)) "The EHR is taking long." }
                    p { a href=(view.href(Page::of(which))) { "Open " (heading(which).to_lowercase()) } " and wait for it there." }
                },
            }
        }
    }
}

/// Whether the EHR has entries that are not among those counted.
fn is_incomplete(shown: &Shown) -> bool {
    let problems = shown.section().map(|section| section.problems.as_slice()).unwrap_or_default();
    // Without a resource of its own it is about the list.
    problems.iter().any(|problem| {
        problem.reference.is_none() && matches!(problem.kind, ProblemKind::Truncated | ProblemKind::Withheld)
    })
}

fn draw(view: &View, extent: Extent, content: &Content) -> Option<Drawn> {
    Some(match content {
        Content::Nothing | Content::Banner(_) => return None,
        Content::Problems { items } => problems::conditions(view, extent, items),
        Content::Medications { items } => medications::orders(view, extent, items),
        Content::Allergies(allergies) => problems::allergies(view, extent, allergies),
        Content::Vitals(observations) if extent.is_whole => {
            observations::table(view, extent, observations, "Vital signs")
        }
        Content::Vitals(observations) => vitals::tiles(view, extent, observations),
        Content::Results(observations) => {
            observations::table(view, extent, observations, "Laboratory results")
        }
        Content::Encounters { items } => lists::encounters(view, extent, items),
        Content::Documents { items } => lists::documents(view, extent, items),
        Content::Immunizations { items } => other::immunizations(view, extent, items),
        Content::Procedures { items } => other::procedures(view, extent, items),
        Content::Careteam { items } => other::care_team(view, extent, items),
        Content::Coverage { items } => other::coverages(view, extent, items),
    })
}

/// Entries that could not be understood, each with its record; other gaps are said in the status row.
fn gaps(problems: &[ReadProblem]) -> Markup {
    let unreadable: Vec<&ReadProblem> =
        problems.iter().filter(|p| p.kind == ProblemKind::Unreadable).collect();
    html! {
        @for problem in distinct(problems) {
            @if problem.kind == ProblemKind::NotGranted {
                p.state.information {
                    (icon(Tone::Information))
                    "Not all of it was requested (permission not granted"
                    @if let Some(of) = &problem.resource_type { " for " (said(of)) }
                    "). Start the app again and allow access to see it."
                }
            } @else {
                p.state.warning { (icon(Tone::Warning)) (said(&problem.message)) " " (said(&problem.next_step)) }
            }
        }
        @if let [first, ..] = unreadable.as_slice() {
            p.state.warning {
                (icon(Tone::Warning))
                @if unreadable.len() == 1 { (said(&first.message)) } @else { (unreadable.len()) " entries are not in the form that FHIR prescribes and are not shown." }
                @for reference in unreadable.iter().filter_map(|p| p.reference.as_deref()).take(5) {
                    " " (record_button(reference, "Show the record"))
                }
            }
        }
    }
}

/// What is missing of a list, each thing once: five names that could not be asked for are one gap to a person.
fn distinct(problems: &[ReadProblem]) -> Vec<&ReadProblem> {
    let mut all: Vec<&ReadProblem> = Vec::new();
    for problem in problems.iter().filter(|p| p.kind != ProblemKind::Unreadable) {
        let is_known = |known: &&ReadProblem| {
            (known.kind, &known.message, &known.resource_type)
                == (problem.kind, &problem.message, &problem.resource_type)
        };
        if !all.iter().any(is_known) {
            all.push(problem);
        }
    }
    all
}

/// A section of which nothing can be shown: three different things that are never said alike.
fn nothing(view: &View, page: Page, read: &ChartSection) -> Markup {
    let of = |kind| read.problems.iter().find(|p| p.kind == kind);
    html! {
        @match read.state {
            SectionState::NotGranted => {
                p.state.information { (icon(Tone::Information)) "Not requested (permission not granted)" }
                p.quiet { "Start the app again and allow access to see it." }
            },
            SectionState::Withheld => {
                p.state.warning { (icon(Tone::Warning)) "Withheld" }
                @if let Some(problem) = of(ProblemKind::Withheld) { p.quiet { (said(&problem.message)) " " (said(&problem.next_step)) } }
            },
            SectionState::Complete | SectionState::Partial | SectionState::Failed => {
                @match of(ProblemKind::Failed).or(read.problems.first()) {
                    Some(problem) => (failed(view, page, &problem.message, &problem.next_step)),
                    None => p.state { "Nothing was read." },
                }
            },
        }
    }
}

fn failed(view: &View, page: Page, message: &str, next_step: &str) -> Markup {
    html! {
        p.state.warning { (icon(Tone::Warning)) "Could not be read. " (said(message)) }
        p { (said(next_step)) " " a href=(view.href(page)) { "Try again" } }
    }
}
