//! Fills the sandbox EHR's own forms as a person would: the first clinician, the wanted patient, consent to all.

use anyhow::{Context, bail};
use url::Url;

use super::browser::Page;

/// The form's target and its body.
pub(super) fn fill(page: &Page, patient: &str) -> anyhow::Result<(Url, String)> {
    let text = page.text();
    let form = text
        .split("<form")
        .skip(1)
        .find(|form| attribute(form, "method").is_some_and(|m| m.eq_ignore_ascii_case("post")))
        .with_context(|| format!("no form on the EHR's page with status {}", page.status))?;
    let form = form.split("</form>").next().unwrap_or_default();
    let action = page.url.join(&attribute(form, "action").unwrap_or_default())?;
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    for input in form.split("<input").skip(1) {
        let input = input.split('>').next().unwrap_or_default();
        let kind = attribute(input, "type").unwrap_or_default();
        let is_sent = kind == "hidden" || (kind == "checkbox" && input.contains(" checked"));
        if let (true, Some(name)) = (is_sent, attribute(input, "name")) {
            body.append_pair(&name, &attribute(input, "value").unwrap_or_default());
        }
    }
    let buttons: Vec<(String, String)> = form
        .split("<button")
        .skip(1)
        .map(|b| b.split('>').next().unwrap_or_default())
        .filter_map(|b| Some((attribute(b, "name")?, attribute(b, "value").unwrap_or_default())))
        .collect();
    let wanted = buttons
        .iter()
        .find(|(name, value)| name == "patient" && value == patient)
        .or_else(|| buttons.iter().find(|(name, value)| name != "patient" && value != "deny"));
    let Some((name, value)) = wanted else { bail!("no button fits on the EHR's page") };
    body.append_pair(name, value);
    Ok((action, body.finish()))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let value = tag.get(start..)?.split('"').next()?;
    Some(value.replace("&amp;", "&").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_with_what_a_person_would_choose() {
        let html = r#"<form method="get" action="x"></form><form method="post" action="pick"><input type="hidden"
            name="flow" value="a&amp;b"><button name="patient" value="p1">A</button><button name="patient" value="p2">B</button></form>"#;
        let page = Page {
            url: Url::parse("http://127.0.0.1:1/o/pick?x").unwrap(),
            status: 200,
            headers: http::HeaderMap::new(),
            body: html.as_bytes().to_vec(),
        };
        let (action, body) = fill(&page, "p2").unwrap();
        assert_eq!((action.path(), body.as_str()), ("/o/pick", "flow=a%26b&patient=p2"));
    }
}
