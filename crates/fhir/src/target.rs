//! Where a call goes: path, query and form written anew from the parsed interaction, never copied from the request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::interaction::{Interaction, Param, Search};

/// Everything but RFC 3986's unreserved characters is encoded: no value can end a parameter, a query or a path.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parts of an upstream request. They can hold patient ids: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The path below the endpoint's base, without a leading slash.
    pub path: String,
    /// The query without `?`; empty for none.
    pub query: String,
    /// The form of a POST `_search`.
    pub form: Option<String>,
}

impl Target {
    /// The target of an interaction; `None` for a page, whose address is inside its handle.
    pub fn of(interaction: &Interaction) -> Option<Self> {
        let plain = |path: String| Some(Self { path, query: String::new(), form: None });
        match interaction {
            Interaction::Read { resource_type, id } => plain(format!("{resource_type}/{}", id.expose())),
            Interaction::VRead { resource_type, id, version } => {
                plain(format!("{resource_type}/{}/_history/{}", id.expose(), version.expose()))
            }
            Interaction::Search(search) => Some(Self::of_search(search)),
            Interaction::Capabilities => plain("metadata".to_owned()),
            Interaction::Page { .. } => None,
        }
    }

    fn of_search(search: &Search) -> Self {
        let encoded = encode(&search.params);
        if search.by_post {
            Self {
                path: format!("{}/_search", search.resource_type),
                query: String::new(),
                form: Some(encoded),
            }
        } else {
            Self { path: search.resource_type.as_str().to_owned(), query: encoded, form: None }
        }
    }

    /// The full URL below `base` (the endpoint's FHIR base exactly as registered).
    pub fn url(&self, base: &str) -> String {
        let base = base.trim_end_matches('/');
        let mut url = String::with_capacity(base.len() + self.path.len() + self.query.len() + 2);
        url.push_str(base);
        url.push('/');
        url.push_str(&self.path);
        if !self.query.is_empty() {
            url.push('?');
            url.push_str(&self.query);
        }
        url
    }
}

/// `name:modifier=value&…`, strictly encoded.
pub fn encode(params: &[Param]) -> String {
    let mut out = String::new();
    for param in params {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(param.name);
        if let Some(modifier) = param.modifier {
            out.push(':');
            out.push_str(modifier.as_str());
        }
        out.push('=');
        out.extend(utf8_percent_encode(&param.value, STRICT));
    }
    out
}
