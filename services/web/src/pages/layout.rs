//! The frame of a chart page, in the pieces in which it is sent.
//!
//! The frame is a declarative shadow root whose slots are the reserved places; what arrives later is ordinary markup with
//! a slot's name, so no script is needed and a browser that does not know shadow roots shows the parts one below the other.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sallyport_clinical::{ChartSection, Content};
use sallyport_model::Code;

use super::{
    Reference, banner,
    origin::{clock, record_form},
    sections::Shown,
    words::{Tone, badge, icon, said},
};
use crate::{
    domain::{
        page::{CARE_GAPS, Page, heading},
        view::{Tab, View},
    },
    http::{script_path, style_path},
};

/// The `<head>` of every page. Titles hold no patient data: they stand in histories and window lists.
pub(crate) fn document_head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="robots" content="noindex";
            title { (title) }
            link rel="icon" href="data:,";
            link rel="stylesheet" href=(style_path());
            script src=(script_path()) defer {}
        }
    }
}

/// Everything up to the first slot: sent before any EHR call.
pub(crate) fn head(view: &View, page: Page) -> Markup {
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        (document_head(&format!("{} · {}", page.title(), view.app)))
        (PreEscaped("<body><div class=\"page\">"))
        template shadowrootmode="open" {
            link rel="stylesheet" href=(style_path());
            a.skip href="#content" { "Skip to the chart" }
            header.top.slim[!view.shows_full_banner] {
                slot name="banner" { p.banner-waiting { "Reading who the patient is…" } }
                @if view.shows_full_banner {
                    slot name="banner-allergies" { p.banner-waiting { "Reading allergies…" } }
                }
            }
            (tabs(view, page))
            main {
                slot name="content" {}
                h1.visually-hidden { (page.title()) }
                div.status role="status" {
                    slot name="status" { p { "Reading from " (said(&view.endpoint)) "…" } }
                }
                slot name="notice" {}
                div class={ "grid " (page.path()) } {
                    @for section in page.sections() {
                        div class={ "cell " (section.as_str()) } {
                            slot name=(section.as_str()) { (waiting(heading(*section))) }
                        }
                    }
                    @if view.has_care_gaps(page) {
                        div.cell.care-gaps { slot name=(CARE_GAPS) { (waiting(Page::CareGaps.title())) } }
                    }
                }
            }
            (footer(view))
        }
        div #content slot="content" tabindex="-1" {}
        (session(view))
        (record_form(view))
    }
}

fn waiting(heading: &str) -> Markup {
    html! { section.card.waiting { header.card-head { h2 { (heading) } } p.quiet { "Reading…" } } }
}

pub(super) fn tabs(view: &View, current: Page) -> Markup {
    html! {
        nav.tabs aria-label="Chart" {
            ul {
                @for (index, tab) in view.tabs.iter().enumerate() {
                    li {
                        @match tab {
                            Tab::Open(page) => {
                                a href=(view.href(*page)) aria-current=[(*page == current).then_some("page")] { (page.title()) }
                            },
                            Tab::Off { title, reason } => {
                                span.off role="link" aria-disabled="true" tabindex="0" aria-describedby={ "off-" (index) } {
                                    (said(title)) span.off-word { " off" }
                                }
                                span.reason id={ "off-" (index) } role="tooltip" { "Off: " (said(reason)) }
                            },
                        }
                    }
                }
            }
        }
    }
}

fn footer(view: &View) -> Markup {
    html! {
        footer.foot {
            p.who {
                @if view.user.is_empty() { "Signed in (the EHR sent no name)" } @else { "Signed in as " (said(&view.user)) }
                " · " (said(&view.tenant)) " · " (said(&view.endpoint)) " "
                @if view.is_production { (badge(Tone::Quiet, "Production")) } @else { (badge(Tone::Information, "Sandbox")) }
                " · " slot name="as-of" { "reading…" }
            }
            slot name="session" {}
        }
    }
}

/// The session's end, said in words and, for the script, in milliseconds from now. The warning itself is hidden until the
/// script finds that it is time; without the script the words stand.
fn session(view: &View) -> Markup {
    let until = |micros: i64| (micros - view.times.now).div_euclid(1_000).max(0);
    let renews = view.token_expires_at.is_none();
    html! {
        div #session.session slot="session"
            data-idle=(until(view.idle_expires_at)) data-absolute=(until(view.absolute_expires_at))
            data-token=[view.token_expires_at.map(until)]
            data-state=(view.session_path) data-ended=(format!("{}/ended", view.base)) {
            p.session-words {
                "Signed in until " (clock(view, view.idle_expires_at)) " unless used, "
                @match view.token_expires_at {
                    Some(at) => { (clock(view, at.min(view.absolute_expires_at))) " at the latest (the EHR ends it then)" },
                    None => { (clock(view, view.absolute_expires_at)) " at the latest" },
                }
            }
            form.sign-out method="post" action=(format!("{}/logout", view.session_path)) {
                input type="hidden" name="token" value=(view.sign_out_token);
                button type="submit" { "Sign out" }
            }
            div.session-warning role="alert" hidden {
                p.session-left {}
                form.stay method="post" action=(format!("{}/keep-alive", view.session_path)) {
                    input type="hidden" name="token" value=(view.stay_token);
                    button type="submit" { "Stay signed in" }
                }
                p.session-again {
                    @match &view.sign_in_path {
                        Some(path) => { a href=(path) target="_blank" rel="noopener" { "Sign in again" } " in a new window" },
                        None => { "To go on after that, start the app again from the EHR" },
                    }
                    @if !renews { ". The EHR gave a sign-in that cannot be renewed" }
                    "."
                }
            }
        }
    }
}

/// Who the patient is, or that this could not be read.
pub(crate) fn banner(view: &View, answer: &Result<ChartSection, Code>) -> Markup {
    match answer {
        Ok(ChartSection { content: Content::Banner(patient), .. }) if view.shows_full_banner => {
            banner::full(view, patient)
        }
        Ok(ChartSection { content: Content::Banner(patient), .. }) => banner::slim(view, patient),
        _ => html! {
            div.banner.unidentified slot="banner" {
                p.name { (icon(Tone::Critical)) "The patient could not be identified" }
            }
        },
    }
}

/// The allergies in the banner; where the EHR shows its own banner they stand in their section alone.
pub(crate) fn banner_allergies(view: &View, shown: &Shown) -> Markup {
    html! { @if view.shows_full_banner { (banner::allergies(shown)) } }
}

/// In place of the chart: data without a name beside it is not shown.
pub(crate) fn nothing_without_identity(
    view: &View,
    page: Page,
    answer: &Result<ChartSection, Code>,
    reference: &Reference,
) -> Markup {
    let from_code =
        |code: Code| (code.sentence().to_owned(), code.next_step().to_owned(), code.as_str().to_owned());
    let problem = answer.as_ref().ok().and_then(|section| section.problems.first());
    let (message, next_step, code) = match (answer, problem) {
        (Ok(_), Some(problem)) => (problem.message.clone(), problem.next_step.clone(), problem.code.clone()),
        (Ok(_), None) => from_code(Code::UpstreamInvalid),
        (Err(code), _) => from_code(*code),
    };
    html! {
        @if view.shows_full_banner { div slot="banner-allergies" {} }
        div.status-line slot="status" { span { (icon(Tone::Critical)) "The chart is not shown" } }
        div.notice slot="notice" role="alert" {
            h2 { "The patient's record could not be read" }
            p { (said(&message)) }
            p { "The chart is shown only beside the patient's name, so nothing of it is shown. Nothing was changed in the EHR." }
            p { (said(&next_step)) }
            p { a.button href=(view.href(page)) { "Try again" } }
            p.quiet { "For support: code " code { (said(&code)) } ", reference " code.reference { (reference.0) } }
        }
        @for section in page.sections() { div slot=(section.as_str()) {} }
        @if view.has_care_gaps(page) { div slot=(CARE_GAPS) {} }
    }
}

/// The end of the page: as of when.
pub(crate) fn tail(view: &View, parts: &[&ChartSection]) -> Markup {
    let oldest = parts.iter().filter_map(|part| part.read_at).min();
    let records: usize = parts.iter().map(|part| part.resources).sum();
    html! {
        span slot="as-of" {
            @match oldest {
                Some(at) => {
                    "data as of " (clock(view, at)) ", " (records) (if records == 1 { " record" } else { " records" })
                    @if view.edits_undated { "; this EHR does not say when they were changed" }
                },
                None => { "no record was found" },
            }
        }
        (PreEscaped("</div></body></html>"))
    }
}
