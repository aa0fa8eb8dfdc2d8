//! One record as the EHR sent it, beside the patient's name.

use maud::{DOCTYPE, Markup, html};
use sallyport_clinical::{ChartSection, Content};
use sallyport_model::Code;

use super::{
    banner,
    layout::document_head,
    origin::{clock, record_form},
    words::{Tone, icon, plain, said},
};
use crate::{
    domain::{document::Readable, json_text::laid_out, page::Page, view::View},
    gateway::RawResource,
};

/// The page.
pub(crate) fn page(
    view: &View,
    patient: Result<&ChartSection, &Code>,
    reference: &str,
    raw: &RawResource,
    text: Option<&Readable>,
) -> Markup {
    let kind = reference.split('/').next().unwrap_or_default();
    let json = String::from_utf8_lossy(&raw.json);
    html! {
        (DOCTYPE)
        html lang="en" {
            (document_head(&format!("Record · {}", view.app)))
            body {
                div.page {
                    header.top.slim {
                        @match patient {
                            Ok(ChartSection { content: Content::Banner(patient), .. }) => (banner::slim(view, patient)),
                            _ => div.banner.unidentified { p.name { (icon(Tone::Critical)) "The patient's name could not be read" } },
                        }
                    }
                    main.record-page {
                        p { a href=(view.href(Page::Summary)) { "← Back to the chart" } }
                        h1 { "Record: " (said(kind)) }
                        dl.facts-list {
                            div.fact { dt { "Record" } dd { code { (said(reference)) } } }
                            div.fact { dt { "From" } dd { (said(&view.endpoint)) ", " (said(&view.tenant)) } }
                            div.fact { dt { "Read" } dd { (clock(view, raw.read_at)) } }
                        }
                        (document(text))
                        h2 { "As the EHR sent it" }
                        // A scrolling region is reachable by keyboard.
                        pre.raw tabindex="0" role="region" aria-label="The record as JSON" { (laid_out(&json)) }
                    }
                    (record_form(view))
                }
            }
        }
    }
}

fn document(text: Option<&Readable>) -> Markup {
    let told = |words: &str| html! { p.quiet { (words) } };
    html! {
        @if let Some(text) = text {
            h2 { "The document" }
            @match text {
                Readable::Text(text) => pre.document tabindex="0" role="region" aria-label="The document's text" dir="auto" { (plain(text)) },
                Readable::FromHtml(text) => {
                    (told("The words of the document; its layout and pictures are left out."))
                    pre.document tabindex="0" role="region" aria-label="The document's text" dir="auto" { (plain(text)) }
                },
                Readable::OtherKind(kind) if kind.is_empty() => (told("The EHR does not say what kind of file this is; open it in the EHR.")),
                Readable::OtherKind(kind) => {
                    p.quiet { "This kind of file (" (said(kind)) ") is not shown here; open it in the EHR." }
                },
                Readable::Elsewhere(_) | Readable::Nothing => (told("The EHR sent no content that can be read here; open it in the EHR.")),
            }
        }
    }
}
