//! Figures of a period as two things: whether people can launch, and whether EHRs answer, by resource type and endpoint.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use sallyport_proto::audit::v1::{Kind, activity_response::Cell};

use crate::pages::{Tone, badge, said};

/// Sums of one kind of thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    succeeded: i64,
    refused: i64,
    there: i64,
    here: i64,
}

impl Sums {
    fn add(&mut self, cell: &Cell) {
        self.succeeded += cell.succeeded;
        self.refused += cell.refused;
        self.there += cell.failed_there;
        self.here += cell.failed_here;
    }

    fn total(self) -> i64 {
        self.succeeded + self.refused + self.there + self.here
    }

    /// Whose fault it is, in words. What failed more often is named; a refusal is no fault.
    pub(super) fn verdict(self) -> (Tone, &'static str) {
        match self {
            sums if sums.total() == 0 => (Tone::Quiet, "Nothing happened"),
            sums if sums.there + sums.here == 0 && sums.refused > 0 => {
                (Tone::Information, "Answers; some refused")
            }
            sums if sums.there + sums.here == 0 => (Tone::Good, "Works"),
            sums if sums.here > sums.there => (Tone::Critical, "It is us"),
            _ => (Tone::Warning, "It is them"),
        }
    }

    fn words(self) -> String {
        let mut words = vec![format!("{} done", self.succeeded)];
        for (number, what) in
            [(self.there, "failed there"), (self.here, "failed here"), (self.refused, "refused")]
        {
            if number > 0 {
                words.push(format!("{number} {what}"));
            }
        }
        words.join(", ")
    }
}

/// Whether people can launch: each step of it.
pub(super) fn launches(cells: &[Cell]) -> Markup {
    let steps = [
        (Kind::Launch, "Launches"),
        (Kind::Callback, "Sign-in answers"),
        (Kind::TokenExchange, "Token exchanges"),
        (Kind::TokenRefresh, "Token refreshes"),
    ];
    html! {
        table.figures {
            thead { tr { th scope="col" { "Step" } th scope="col" { "How it goes" } th scope="col" { "In figures" } } }
            tbody {
                @for (kind, title) in steps {
                    @let sums = sum(cells.iter().filter(|cell| cell.kind() == kind));
                    @let (tone, word) = sums.verdict();
                    tr { th scope="row" { (title) } td { (badge(tone, word)) } td { (sums.words()) } }
                }
            }
        }
    }
}

fn sum<'c>(cells: impl Iterator<Item = &'c Cell>) -> Sums {
    let mut sums = Sums::default();
    cells.for_each(|cell| sums.add(cell));
    sums
}

/// Whether EHRs answer: a row for each resource type, a column for each endpoint.
pub(super) fn grid(cells: &[Cell]) -> Markup {
    let calls: Vec<_> = cells.iter().filter(|cell| cell.kind() == Kind::FhirCall).collect();
    let endpoints: BTreeSet<&str> = calls.iter().map(|cell| cell.endpoint.as_str()).collect();
    let mut rows: BTreeMap<&str, BTreeMap<&str, Sums>> = BTreeMap::new();
    for cell in &calls {
        rows.entry(&cell.resource_type).or_default().entry(&cell.endpoint).or_default().add(cell);
    }
    html! {
        @if rows.is_empty() {
            p.state.empty { "No FHIR call ended in this time. The first launch makes the first row." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Resource types by endpoint" {
                table.figures {
                    thead { tr {
                        th scope="col" { "Resource type" }
                        @for endpoint in &endpoints { th scope="col" { (said(endpoint)) } }
                    } }
                    tbody {
                        @for (resource_type, row) in &rows {
                            tr {
                                th scope="row" { @if resource_type.is_empty() { "(none)" } @else { (said(resource_type)) } }
                                @for endpoint in &endpoints {
                                    @let sums = row.get(endpoint).copied().unwrap_or_default();
                                    @let (tone, word) = sums.verdict();
                                    td { (badge(tone, word)) br; span.quiet { (sums.words()) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_failed_more_often_is_named_and_a_refusal_is_no_fault() {
        let sums = |succeeded, refused, there, here| Sums { succeeded, refused, there, here }.verdict().1;
        assert_eq!(sums(0, 0, 0, 0), "Nothing happened");
        assert_eq!(sums(9, 0, 0, 0), "Works");
        assert_eq!(sums(9, 1, 0, 0), "Answers; some refused");
        assert_eq!(sums(9, 0, 1, 0), "It is them");
        assert_eq!(sums(9, 0, 1, 2), "It is us");
        assert_eq!(sums(0, 9, 1, 1), "It is them");
    }
}
