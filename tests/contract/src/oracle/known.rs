//! What a launch has met: ids, references and pages, for the next queries of both.

use std::collections::BTreeSet;

use sallyport::demo::browser::Page;
use serde_json::Value;

/// More of a kind is not kept: what is met last is as good as what was met first.
const MOST: usize = 400;

/// Ids and page handles of one launch.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// `(type, id)` of what came and of what it referred to.
    pub(super) resources: Vec<(String, String)>,
    /// `_page/…`
    pub(super) pages: Vec<String>,
    met: BTreeSet<(String, String)>,
}

impl Known {
    /// Notes a resource.
    pub(super) fn meet(&mut self, kind: &str, id: &str) {
        let resource = (kind.to_owned(), id.to_owned());
        if self.resources.len() < MOST && self.met.insert(resource.clone()) {
            self.resources.push(resource);
        }
    }

    /// Learns from an answer.
    pub(super) fn learn(&mut self, page: &Page) {
        if page.status == 200
            && let Ok(body) = page.json()
        {
            self.look(&body);
        }
    }

    fn look(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.look(item)),
            Value::Object(members) => {
                let text = |name: &str| members.get(name).and_then(Value::as_str);
                if let (Some(kind), Some(id)) = (text("resourceType"), text("id"))
                    && kind != "Bundle"
                {
                    self.meet(kind, id);
                }
                if let Some((kind, id)) = text("reference").and_then(last_two) {
                    self.meet(kind, id);
                }
                if let Some((_, handle)) = text("url").and_then(|url| url.split_once("/_page/"))
                    && self.pages.len() < MOST
                    && text("relation") == Some("next")
                {
                    self.pages.push(format!("_page/{handle}"));
                }
                members.values().for_each(|member| self.look(member));
            }
            _ => {}
        }
    }
}

/// Type and id at the end of a reference.
fn last_two(reference: &str) -> Option<(&str, &str)> {
    let (before, id) = reference.rsplit_once('/')?;
    let kind = before.rsplit('/').next()?;
    let is_type =
        kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.bytes().all(|b| b.is_ascii_alphabetic());
    (is_type && !id.is_empty()).then_some((kind, id))
}

/// The number of the patient to whom a generated id belongs, however the product writes it: it holds the stored one,
/// `cond-0007-03`.
pub(super) fn owner(reference: &str) -> Option<&str> {
    reference.split(['-', '.', '/']).find(|part| part.len() == 4 && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_read_from_an_id_as_any_product_writes_it() {
        for written in [
            "Condition/cond-0007-03",
            "Condition/econd-0007-03.Zm9v",
            "Condition/a-195900.Condition-cond-0007-03",
        ] {
            assert_eq!(owner(written), Some("0007"), "{written}");
        }
        assert_eq!(owner("Practitioner/pract-reyes"), None);
    }

    #[test]
    fn ids_references_and_next_pages_are_learnt() {
        let mut known = Known::default();
        known.look(&serde_json::json!({"resourceType": "Bundle", "id": "b",
            "link": [{"relation": "self", "url": "http://a/_page/x"}, {"relation": "next", "url": "http://a/fhir/1/_page/y"}],
            "entry": [{"resource": {"resourceType": "Condition", "id": "c", "subject": {"reference": "http://ehr/Patient/p"}}}]}));
        let expected =
            [("Condition", "c"), ("Patient", "p")].map(|(kind, id)| (kind.to_owned(), id.to_owned()));
        assert_eq!(known.resources, expected);
        assert_eq!(known.pages, ["_page/y"]);
    }
}
