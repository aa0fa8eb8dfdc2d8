//! The status row: what of this page is partial, said once, at the top, with what to do.

use maud::{Markup, html};
use sallyport_clinical::{ProblemKind, Section, SectionState};

use super::{
    sections::Shown,
    words::{Tone, icon},
};
use crate::domain::{
    care_gaps::Gaps,
    page::{Page, heading},
    view::View,
};

/// What stands first: what is not there at all, before what is only incomplete, before what was never asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gravity {
    Missing,
    Incomplete,
    NotAsked,
}

struct Line {
    gravity: Gravity,
    tone: Tone,
    text: String,
    retry: Option<String>,
}

/// The row. One line has its place reserved; more open on request.
pub(crate) fn row(view: &View, page: Page, shown: &[(Section, Shown)], gaps: Option<&Gaps>) -> Markup {
    let mut lines: Vec<Line> = Vec::new();
    for section in Section::ALL {
        let what = shown.iter().find(|(which, _)| which == section);
        lines.extend(what.and_then(|(_, what)| line(view, *section, what)));
    }
    lines.extend(gaps.and_then(|gaps| of_gaps(view, gaps)));
    lines.sort_by_key(|line| line.gravity);
    let reload = view.href(page);
    html! {
        div.status-line slot="status" {
            @match lines.split_first() {
                None => span { (icon(Tone::Good)) "All sections of this page were read." },
                Some((first, [])) => (shown_line(first, &reload)),
                Some((first, rest)) => {
                    (shown_line(first, &reload))
                    details.status-more {
                        summary { "and " (rest.len()) " more" }
                        ul { @for line in rest { li { (shown_line(line, &reload)) } } }
                    }
                },
            }
        }
    }
}

fn shown_line(line: &Line, reload: &str) -> Markup {
    html! {
        span class={ "status-text " (line.tone.class()) } { (icon(line.tone)) (line.text) }
        @if let Some(href) = &line.retry { " " a href=(if href.is_empty() { reload } else { href }) { "Try again" } }
    }
}

/// What is to be said of the care gaps, if anything.
fn of_gaps(view: &View, gaps: &Gaps) -> Option<Line> {
    let (text, retry) = match gaps {
        Gaps::Read(_) => return None,
        Gaps::Late => {
            ("Care gaps are taking long and are not shown here".to_owned(), view.href(Page::CareGaps))
        }
        Gaps::Refused(code) => {
            (format!("Care gaps could not be read ({})", lower(code.sentence())), String::new())
        }
    };
    Some(Line { gravity: Gravity::Missing, tone: Tone::Warning, text, retry: Some(retry) })
}

/// What is to be said of one section, if anything.
fn line(view: &View, section: Section, shown: &Shown) -> Option<Line> {
    let name = heading(section);
    let whole = Some(view.href(Page::of(section)));
    match shown {
        Shown::Late => Some(Line {
            gravity: Gravity::Missing,
            tone: Tone::Warning,
            text: format!("{name} are taking long and are not shown here"),
            retry: whole,
        }),
        Shown::Refused(code) => Some(Line {
            gravity: Gravity::Missing,
            tone: Tone::Warning,
            text: format!("{name} could not be read ({})", lower(code.sentence())),
            retry: Some(String::new()),
        }),
        Shown::Section(read) => {
            let of = |kind| read.problems.iter().find(|p| p.kind == kind);
            match read.state {
                SectionState::Complete => None,
                SectionState::NotGranted => Some(Line {
                    gravity: Gravity::NotAsked,
                    tone: Tone::Information,
                    text: format!("{name} were not requested (permission not granted)"),
                    retry: None,
                }),
                SectionState::Withheld => Some(Line {
                    gravity: Gravity::Missing,
                    tone: Tone::Warning,
                    text: format!("{name} were withheld ({})", reason(of(ProblemKind::Withheld))),
                    retry: None,
                }),
                SectionState::Failed => Some(Line {
                    gravity: Gravity::Missing,
                    tone: Tone::Warning,
                    text: format!("{name} could not be read ({})", reason(of(ProblemKind::Failed))),
                    retry: Some(String::new()),
                }),
                SectionState::Partial => {
                    let unreadable =
                        read.problems.iter().filter(|p| p.kind == ProblemKind::Unreadable).count();
                    let text = if let Some(failed) = of(ProblemKind::Failed) {
                        format!("{name} are incomplete ({})", reason(Some(failed)))
                    } else if unreadable > 0 {
                        let entries = if unreadable == 1 { "entry" } else { "entries" };
                        format!("{name} are incomplete ({unreadable} {entries} could not be understood)")
                    } else {
                        format!("{name} are incomplete ({})", reason(read.problems.first()))
                    };
                    Some(Line {
                        gravity: Gravity::Incomplete,
                        tone: Tone::Warning,
                        text,
                        retry: of(ProblemKind::Failed).map(|_| String::new()),
                    })
                }
            }
        }
    }
}

fn reason(problem: Option<&sallyport_clinical::ReadProblem>) -> String {
    problem.map_or_else(|| "no reason was given".to_owned(), |p| lower(&p.message))
}

/// A sentence as part of another: `The EHR is busy.` → `the EHR is busy`.
fn lower(sentence: &str) -> String {
    let text = sentence.trim_end_matches('.');
    match text.strip_prefix("The ") {
        Some(rest) => format!("the {rest}"),
        None => text.to_owned(),
    }
}
