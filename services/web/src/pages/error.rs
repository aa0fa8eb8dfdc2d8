//! Refusals and failures for a person: what happened, what it means for the data, what to do, what to tell support.

use maud::{DOCTYPE, Markup, html};
use sallyport_model::{Code, code::Kind};

use super::{
    Reference,
    layout::document_head,
    words::{Tone, icon, said},
};
use crate::domain::{page::Page, view::View};

/// The page. With a view it offers the ways on that this launch has.
pub(crate) fn page(code: Code, reference: &Reference, view: Option<&View>) -> Markup {
    let heading = match code.kind() {
        Kind::Unauthenticated => "This chart is not open",
        Kind::NotFound => "There is no such page",
        Kind::Denied => "This is not available",
        _ => "This did not work",
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            (document_head(&format!("{heading} · Sallyport")))
            body {
                main.message {
                    h1 { (icon(Tone::Warning)) (heading) }
                    p.lead { (code.sentence()) }
                    p { "Nothing was changed in the EHR, and no data is shown here." }
                    p { (code.next_step()) }
                    (ways_on(code, view))
                    p.quiet { "For support: code " code { (code.as_str()) } ", reference " code.reference { (reference.0) } }
                }
            }
        }
    }
}

fn ways_on(code: Code, view: Option<&View>) -> Markup {
    let is_over = code.kind() == Kind::Unauthenticated;
    html! {
        @match view {
            Some(view) => {
                p.ways {
                    @if !is_over && view.offers(Page::Summary) {
                        a.button href=(view.href(Page::Summary)) { "Back to the summary" } " "
                    }
                    @if let Some(path) = &view.sign_in_path {
                        a.button href=(path) target="_blank" rel="noopener" { "Sign in again in a new window" }
                    } @else if is_over {
                        "Close this page and start the app again from " (said(&view.endpoint)) "."
                    }
                }
            },
            None if code == Code::SessionCookieBlocked => {
                p { "In the EHR, look for “open in a new window” or “open in a tab” beside the app, and start it that way." }
            },
            None => {},
        }
    }
}
