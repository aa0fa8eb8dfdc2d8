//! The plain page at the origin's root: what this is and how it is opened.

use maud::{DOCTYPE, Markup, html};

use super::layout::document_head;

/// The start page. Says nothing about tenants.
pub(crate) fn page(sandbox_ehr_url: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (document_head("Sallyport"))
            body {
                main.message {
                    h1 { "Sallyport" }
                    p.lead { "This is where an EHR opens its patient charts. There is nothing to sign in to here." }
                    p { "Open the app from a patient's record in the EHR: the chart of that patient then appears inside the EHR or in a tab beside it." }
                    @if let Some(url) = sandbox_ehr_url {
                        h2 { "Try it" }
                        p { "A sandbox EHR with invented patients runs beside this app. Choose a clinician and a patient there, then launch." }
                        p.ways { a.button href=(url) { "Open the sandbox EHR" } }
                    }
                }
            }
        }
    }
}
