//! A chart that can be written to, as an EHR keeps it: versions, conditions where it keeps them, and answers that are lost.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::ehr::{Reply, Seen};

/// What goes wrong with one write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Applied; the connection ends before the answer is whole.
    AfterApplying,
    /// Not applied; the connection ends all the same.
    BeforeApplying,
    /// Applied; the answer is a 502.
    BadGateway,
    /// Not applied: this status.
    Status(u16),
    /// Applied; the answer is about another patient.
    ForeignAnswer,
    /// Applied; the answer says nothing of where.
    Mute,
}

#[derive(Default)]
pub(crate) struct Chart {
    /// Type, id, versions.
    pub(crate) records: Vec<(String, String, Vec<Value>)>,
    /// `If-None-Exist` is kept.
    pub(crate) keeps_conditions: bool,
    /// A search by identifier answers with everything.
    pub(crate) ignores_identifiers: bool,
    pub(crate) cuts: VecDeque<Cut>,
}

impl Chart {
    pub(crate) fn keeping_conditions(keeps_conditions: bool) -> Self {
        Self { keeps_conditions, ..Self::default() }
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.records.iter().filter(|(known, ..)| known == kind).count()
    }

    /// Puts a record there as somebody else would.
    pub(crate) fn put(&mut self, body: Value) {
        let (kind, id) = (body["resourceType"].as_str().unwrap(), body["id"].as_str().unwrap());
        match self.records.iter_mut().find(|(k, i, _)| k == kind && i == id) {
            Some((.., versions)) => versions.push(body),
            None => self.records.push((kind.to_owned(), id.to_owned(), vec![body])),
        }
    }

    /// The newest version of a record.
    pub(crate) fn newest(&self, kind: &str, id: &str) -> Option<&Value> {
        self.records.iter().find(|(k, i, _)| k == kind && i == id).and_then(|(.., versions)| versions.last())
    }

    /// Answers a request; `base` is the FHIR base.
    pub(crate) fn answer(&mut self, request: &Seen, base: &str) -> Option<Reply> {
        let below = request.target.strip_prefix("/fhir/")?;
        let (path, query) = below.split_once('?').unwrap_or((below, ""));
        match request.method.as_str() {
            "POST" if !path.contains('/') => Some(self.write(request, base, path, None)),
            "PUT" => {
                let (kind, id) = path.split_once('/')?;
                Some(self.write(request, base, kind, Some(id)))
            }
            "GET" => match path.split_once('/') {
                Some((kind, id)) => {
                    let version = self.version(kind, id)?;
                    self.newest(kind, id).map(|body| Reply::json(dressed(body, version)))
                }
                None => Some(self.search(path, query)),
            },
            _ => None,
        }
    }

    fn write(&mut self, request: &Seen, base: &str, kind: &str, id: Option<&str>) -> Reply {
        let cut = self.cuts.pop_front();
        match cut {
            Some(Cut::BeforeApplying) => return Reply::broken(),
            Some(Cut::Status(status)) => return Reply::new(status, ""),
            _ => {}
        }
        let mut body: Value = serde_json::from_str(&request.body).unwrap();
        let (id, status) = match id {
            Some(id) => {
                let Some(version) = self.version(kind, id) else { return Reply::new(404, "") };
                if request.header("if-match") != format!("W/\"{version}\"") {
                    return Reply::new(412, "");
                }
                (id.to_owned(), 200)
            }
            None => {
                let asked = request.header("if-none-exist");
                let value = asked.rsplit('|').next().unwrap_or_default().to_owned();
                let known = self.keeps_conditions && !asked.is_empty();
                let found = known
                    .then(|| self.having(kind, &value).first().map(|(id, _)| (*id).to_owned()))
                    .flatten();
                match found {
                    Some(id) => return self.located(base, kind, &id, 200, cut),
                    None => (format!("n-{}", self.records.len() + 1), 201),
                }
            }
        };
        body["id"] = json!(id);
        self.put(body);
        self.located(base, kind, &id, status, cut)
    }

    fn located(&self, base: &str, kind: &str, id: &str, status: u16, cut: Option<Cut>) -> Reply {
        let version = self.version(kind, id).unwrap();
        match cut {
            Some(Cut::AfterApplying) => Reply::broken(),
            Some(Cut::BadGateway) => Reply::new(502, "<html>bad gateway</html>"),
            Some(Cut::Mute) => Reply::new(status, ""),
            Some(Cut::ForeignAnswer) => Reply::new(
                status,
                format!(
                    r#"{{"resourceType":"{kind}","id":"{id}","subject":{{"reference":"Patient/b"}},"note":[{{"text":"canary-foreign"}}]}}"#
                ),
            ),
            _ => Reply::new(status, "")
                .with("location", &format!("{base}/{kind}/{id}/_history/{version}"))
                .with("etag", &format!("W/\"{version}\"")),
        }
    }

    fn version(&self, kind: &str, id: &str) -> Option<usize> {
        self.records.iter().find(|(k, i, _)| k == kind && i == id).map(|(.., versions)| versions.len())
    }

    fn having(&self, kind: &str, value: &str) -> Vec<(&str, &Value)> {
        let carries = |body: &Value| {
            body["identifier"].as_array().is_some_and(|all| all.iter().any(|one| one["value"] == value))
        };
        self.records
            .iter()
            .filter(|(known, ..)| known == kind)
            .filter_map(|(_, id, versions)| Some((id.as_str(), versions.last()?)))
            .filter(|(_, body)| self.ignores_identifiers || carries(body))
            .collect()
    }

    fn search(&self, kind: &str, query: &str) -> Reply {
        let value = query.split('&').find_map(|pair| pair.strip_prefix("identifier="));
        let value = value.unwrap_or_default().rsplit("%7C").next().unwrap_or_default();
        let found = self.having(kind, value);
        let texts: Vec<String> =
            found.into_iter().map(|(id, body)| dressed(body, self.version(kind, id).unwrap())).collect();
        Reply::json(crate::ehr::searchset(&texts.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

/// The record with its version.
fn dressed(body: &Value, version: usize) -> String {
    let mut body = body.clone();
    body["meta"] = json!({"versionId": version.to_string()});
    body.to_string()
}
