//! The few pages of this service: a refusal, the form that posts to an authorize endpoint, the signed-out page. No
//! script but one line under a nonce, no outside resource, nothing of the request on them.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sallyport_model::{Code, RequestId};

/// What a refusal page offers to do next.
pub(crate) enum WayOn {
    /// Only the EHR can start it.
    FromEhr,
    /// A standalone launch, at this path.
    Standalone(String),
    /// The same launch outside the frame, at this path.
    NewWindow(String),
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center;\
background:#f4f6f8;color:#1b2530}\
main{max-width:34rem;margin:1rem;padding:1.5rem;background:#fff;border:1px solid #c9d2db;border-radius:.5rem}\
h1{font-size:1.25rem;margin:0 0 .5rem}p{margin:.5rem 0}\
a.action,button{display:inline-block;margin:.75rem 0;padding:.6rem 1rem;border:0;border-radius:.35rem;\
background:#0b5cad;color:#fff;font:inherit;text-decoration:none;cursor:pointer}\
a.action:focus-visible,button:focus-visible{outline:3px solid #f2a900;outline-offset:2px}\
dl{margin:1rem 0 0;font-size:.85rem;color:#46535f}dt{float:left;clear:left;margin-right:.5rem}\
dd{margin:0;overflow-wrap:anywhere}code{font-family:ui-monospace,monospace}\
@media (prefers-color-scheme:dark){body{background:#12181f;color:#e6ebf0}\
main{background:#1b232c;border-color:#3a4755}dl{color:#a9b6c2}a.action,button{background:#2f7fd1}}";

fn layout(title: &str, nonce: &str, content: &Markup, script: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style nonce=(nonce) { (PreEscaped(STYLE)) }
            }
            body {
                main { (content) }
                @if !script.is_empty() {
                    script nonce=(nonce) { (PreEscaped(script)) }
                }
            }
        }
    }
}

/// A refusal: what happened, what to do, a way on, and a reference for support.
pub(crate) fn refusal(code: Code, way_on: &WayOn, reference: RequestId, nonce: &str) -> Markup {
    let content = html! {
        h1 { "The app could not be opened" }
        p { (code.sentence()) }
        p { (code.next_step()) }
        @match way_on {
            WayOn::FromEhr => p { "This launch can only be started again from inside the EHR: go back to the patient there and open the app once more." },
            WayOn::Standalone(href) => p { a.action href=(href) { "Start the app again" } },
            WayOn::NewWindow(href) => p { a.action href=(href) target="_blank" rel="noopener noreferrer" { "Open in a new window" } },
        }
        dl {
            dt { "Code" } dd { code { (code.as_str()) } }
            dt { "Reference" } dd { code { (reference) } }
        }
    };
    layout("The app could not be opened", nonce, &content, "")
}

/// A form with the authorization request that submits itself; a button where scripts are off.
pub(crate) fn authorize_form(action: &str, parameters: &[(&str, &str)], nonce: &str) -> Markup {
    let content = html! {
        h1 { "Opening the EHR's sign-in page" }
        form method="post" action=(action) {
            @for (name, value) in parameters {
                input type="hidden" name=(name) value=(value);
            }
            noscript { p { "Scripts are off in this browser." } }
            button type="submit" { "Continue" }
        }
    };
    layout("Opening the EHR's sign-in page", nonce, &content, "document.forms[0].submit()")
}

/// What a person sees after signing out.
pub(crate) fn signed_out(way_on: &WayOn, nonce: &str) -> Markup {
    let content = html! {
        h1 { "You are signed out" }
        p { "The session of this launch has ended and the EHR was told to withdraw its authorisation." }
        @match way_on {
            WayOn::Standalone(href) => p { a.action href=(href) { "Start the app again" } },
            WayOn::FromEhr | WayOn::NewWindow(_) => p { "To see the chart again, start the app from inside the EHR." },
        }
    };
    layout("You are signed out", nonce, &content, "")
}

#[cfg(test)]
mod tests {
    use sallyport_model::TestClock;

    use super::*;

    #[test]
    fn a_refusal_says_what_happened_what_to_do_and_a_reference() {
        let id = RequestId::new(&TestClock::at(1_700_000_000_000_000));
        for code in Code::ALL {
            let page = refusal(*code, &WayOn::FromEhr, id, "n0").into_string();
            assert!(page.contains(code.as_str()) && page.contains(&id.to_string()), "{code}");
            assert!(page.contains("from inside the EHR"), "{code}");
            assert!(!page.contains("<script"), "{code}");
        }
    }

    #[test]
    fn form_values_are_escaped() {
        let page =
            authorize_form("https://ehr.example/a?x=1&y=2", &[("launch", "\"><script>")], "n0").into_string();
        assert!(page.contains("value=\"&quot;&gt;&lt;script&gt;\""));
        assert!(page.contains("action=\"https://ehr.example/a?x=1&amp;y=2\""));
    }
}
