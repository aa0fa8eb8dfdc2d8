//! What jobs propose: before and after field by field, what it rests on, and one clear action that names the patient.

mod editing;

use maud::{DOCTYPE, Markup, html};
use sallyport_clinical::{ChartSection, Content, banner::Banner};
use sallyport_model::Code;

use super::{
    banner,
    care_gaps::{cited, fact, rule},
    layout::{document_head, tabs},
    origin::{clock, record_form},
    words::{Shows, Tone, badge, icon, said, value},
};
use crate::domain::{
    page::Page,
    proposals::{Draft, Editing, Proposal, Proposals},
    view::View,
};

use editing::{changes, editor};

/// What the person has just done.
pub(crate) enum Note {
    Nothing,
    /// A decision that did not come to its end, with what that means.
    Refused(Code),
    /// Approved without saying for whom.
    Unconfirmed,
    /// Rejected without a reason.
    NoReason,
}

/// The page. Without the patient's name nothing of it is shown.
pub(crate) fn page(
    view: &View,
    patient: &Result<ChartSection, Code>,
    proposals: &Result<Proposals, Code>,
    (note, editing): (&Note, Option<&Editing>),
) -> Markup {
    let named = match patient {
        Ok(ChartSection { content: Content::Banner(patient), .. }) => Some(patient),
        _ => None,
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            (document_head(&format!("{} · {}", Page::Proposals.title(), view.app)))
            body {
                div.page {
                    header.top.slim {
                        @match named {
                            Some(patient) => (banner::slim(view, patient)),
                            None => div.banner.unidentified { p.name { (icon(Tone::Critical)) "The patient could not be identified" } },
                        }
                    }
                    (tabs(view, Page::Proposals))
                    main.proposals {
                        h1 { "Proposals" }
                        (told(note))
                        @match (named, proposals) {
                            (None, _) => p.state.warning { (icon(Tone::Warning)) "Proposals are shown only beside the patient's name. Nothing was changed in the EHR. " a href=(view.href(Page::Proposals)) { "Try again" } },
                            (Some(_), Err(code)) => p.state.warning { (icon(Tone::Warning)) "Could not be read. " (code.sentence()) " " (code.next_step()) " " a href=(view.href(Page::Proposals)) { "Try again" } },
                            (Some(patient), Ok(read)) => (list(view, patient, read, editing)),
                        }
                    }
                    (record_form(view))
                }
            }
        }
    }
}

fn told(note: &Note) -> Markup {
    let warning = |words: Markup| html! { div.notice role="alert" { p.state.warning { (icon(Tone::Warning)) (words) } } };
    match note {
        Note::Nothing => html! {},
        Note::Refused(code) => warning(html! { (code.sentence()) " " (code.next_step()) }),
        Note::Unconfirmed => warning(html! { "Nothing was written: confirm for whom it is." }),
        Note::NoReason => warning(html! { "Nothing was decided: say in a few words why it is rejected." }),
    }
}

fn list(view: &View, patient: &Banner, read: &Proposals, editing: Option<&Editing>) -> Markup {
    let (open, over): (Vec<&Proposal>, Vec<&Proposal>) = read.all.iter().partition(|one| one.is_open());
    html! {
        @if open.is_empty() { p.state.empty { "Nothing is proposed for this patient at the moment." } }
        @for one in open { (card(view, Some(patient), one, editing.filter(|editing| editing.id == one.id))) }
        @if read.withheld > 0 {
            p.state.information { (icon(Tone::Information)) (read.withheld) " more rest on records that this launch may not see, and are not shown." }
        }
        @if !over.is_empty() {
            h2 { "Decided or over (" (over.len()) ")" }
            @for one in over { (card(view, None, one, None)) }
        }
    }
}

fn card(view: &View, patient: Option<&Banner>, one: &Proposal, editing: Option<&Editing>) -> Markup {
    let assessment = &one.proposed.assessment;
    let heading = format!("proposal-{}", one.id);
    let draft = one.draft(editing);
    html! {
        section.card.proposal aria-labelledby=(heading) data-state=(one.state) {
            header.card-head {
                h2 id=(heading) { (said(assessment.action.as_deref().unwrap_or(&assessment.title))) }
                (standing(one))
            }
            p { (said(&assessment.title)) ". " @if let Some(why) = assessment.why.first() { (said(why)) } }
            (outcome(view, one))
            @match &draft {
                Ok(draft) => (changes(one, draft)),
                Err(fault) => div.notice role="alert" { p.state.warning { (icon(Tone::Warning)) "Nothing was written. " (fault) } },
            }
            details {
                summary { "Why, and what it rests on (" (assessment.evidence.len()) ")" }
                dl.facts-list {
                    (fact("Rule", &rule(assessment)))
                    (fact("Proposed by", &html! {
                        (said(&one.title)) ", " (clock(view, one.created_at))
                        span.path { "job " (said(&one.job)) ", run " (one.run) }
                    }))
                    (fact("Judged", &html! { (clock(view, one.proposed.judged_at)) }))
                }
                ul.evidence { @for evidence in &assessment.evidence { (cited(view, evidence)) } }
            }
            @if let Some(patient) = patient {
                @if let Ok(draft) = &draft { (actions(view, patient, one, draft)) }
                @if one.is_editable() { (editor(view, one, editing, draft.is_err())) }
                (rejection(view, one))
            }
        }
    }
}

fn standing(one: &Proposal) -> Markup {
    match (one.state.as_str(), one.outcome.as_str()) {
        ("approved", "applied") => badge(Tone::Good, "Written"),
        ("approved", "unknown") => badge(Tone::Warning, "Not known whether it was written"),
        ("approved", _) => badge(Tone::Information, "Approved"),
        ("rejected", _) => badge(Tone::Quiet, "Rejected"),
        ("expired", _) => badge(Tone::Quiet, "Expired"),
        ("withdrawn", "taken-back") => badge(Tone::Quiet, "Withdrawn by an operator"),
        ("withdrawn", _) => badge(Tone::Quiet, "Withdrawn: the rule no longer holds"),
        _ => badge(Tone::Information, "Open"),
    }
}

fn outcome(view: &View, one: &Proposal) -> Markup {
    html! {
        @if !one.reference.is_empty() {
            p.state.good {
                (icon(Tone::Good)) "In the EHR as " code { (said(&one.reference)) }
                @if !one.version.is_empty() { ", version " (said(&one.version)) }
            }
        }
        @if one.state == "approved" && !one.edits.is_empty() { p.quiet { "Approved with edits" } }
        @if one.decided_at > 0 {
            p.quiet { "Decided " (clock(view, one.decided_at)) @if !one.reason.is_empty() { ": " (said(&one.reason)) } }
        }
        @if one.state == "approved" && one.outcome == "unknown" {
            p.state.warning {
                (icon(Tone::Warning)) "The EHR has not said whether it has this record. Do not enter it by hand: approving once more asks the EHR first, and what is there is not written again."
            }
        } @else if let Some(code) = one.code { p.state.warning { (icon(Tone::Warning)) (code.sentence()) " " (code.next_step()) } }
        @if one.state == "open" { p.quiet { "Open until " (clock(view, one.expires_at)) } }
    }
}

/// Rejecting, of what nobody has decided on.
fn rejection(view: &View, one: &Proposal) -> Markup {
    html! {
        @if one.state == "open" {
            details.reject {
                summary { "Reject" }
                form method="post" action=(view.href(Page::Proposals)) {
                    (bound(view, one, &one.payload_sha256))
                    label { "Reason " input type="text" name="reason" required maxlength="200"; }
                    button type="submit" name="decision" value="reject" { "Reject with reason" }
                }
            }
        }
    }
}

fn actions(view: &View, patient: &Banner, one: &Proposal, draft: &Draft) -> Markup {
    html! {
        @if one.may_write {
            form.approve method="post" action=(view.href(Page::Proposals)) {
                (bound(view, one, &draft.sha256))
                @for edit in &draft.edits { input type="hidden" name=(format!("edit.{}", edit.field)) value=(edit.text); }
                label.confirm {
                    input type="checkbox" name="confirm" value="yes" required;
                    " This is for " b { (value(&patient.name)) } ", born "
                    @match patient.birth_date.known_or_words() { Ok(date) => b { (date.show()) }, Err(words) => (words) }
                    ". I have checked what is written."
                }
                button type="submit" name="decision" value="approve" {
                    @if draft.edits.is_empty() { "Approve and write" } @else { "Approve as edited and write" }
                }
            }
        } @else if one.feature.is_empty() {
            p.state.information { (icon(Tone::Information)) "This app has no feature that writes such a record; enter it in the EHR itself." }
        } @else if view.sign_in_path.is_none() {
            p.state.information { (icon(Tone::Information)) "Writing needs a sign-in of its own, and this app only starts from the EHR: an administrator can add \"standalone\" to its registration's launches." }
        } @else {
            form.step-up method="post" action=(format!("{}/step-up", view.session_path)) {
                input type="hidden" name="token" value=(view.step_up_token);
                input type="hidden" name="feature" value=(one.feature);
                @if let Some(code) = one.obstacle { p { (code.sentence()) } }
                button type="submit" { "Sign in for " (said(&one.feature_title)) }
                p.quiet { "The EHR asks for access once more; the chart opens again beside this one." }
            }
        }
    }
}

/// What a decision is bound to.
fn bound(view: &View, one: &Proposal, sha256: &str) -> Markup {
    html! {
        input type="hidden" name="token" value=(view.proposals_token);
        input type="hidden" name="proposal" value=(one.id);
        input type="hidden" name="sha256" value=(sha256);
        input type="hidden" name="base" value=(one.base_version);
    }
}
