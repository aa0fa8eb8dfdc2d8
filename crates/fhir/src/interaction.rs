//! A request, parsed once: method, raw path, raw query and form become an [`Interaction`] or a [`Rejection`].
//!
//! Routing, authorisation and the upstream URL all use this one value; nothing looks at the raw text again. Whatever is
//! not named here is refused: operations, batch, history, compartment paths, percent-encoding in a path.

mod query;

use std::sync::Arc;

use sallyport_model::{Code, ids::is_logical_id};

use crate::{
    params::{Modifier, TypeRule},
    types::ResourceType,
};

/// The longest path worth reading: a type, an id of 256 characters and a version of 256, or a sealed paging handle.
const MAX_PATH: usize = 8_192;

/// The method of a request, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// Anything else: refused.
    Other,
}

/// A request as it came in, after the launch's prefix.
#[derive(Clone, Copy)]
pub struct RawRequest<'a> {
    /// GET, POST or other.
    pub method: Method,
    /// The path after `/fhir/{launch}`, undecoded, with its leading slash.
    pub path: &'a str,
    /// The query, undecoded, without `?`.
    pub query: Option<&'a str>,
    /// The body of a form, undecoded.
    pub form: Option<&'a [u8]>,
}

/// Why a request is refused. Reflects nothing of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {what}")]
pub struct Rejection {
    /// The stable code.
    pub code: Code,
    /// What about the request, in words of ours.
    pub what: &'static str,
}

impl Rejection {
    pub(crate) fn new(code: Code, what: &'static str) -> Self {
        Self { code, what }
    }
}

/// A logical id within a vendor's length. It can identify a person: constant `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LogicalId(Arc<str>);

impl LogicalId {
    /// Parses an id of at most `max` characters; ids starting with `_` would be confused with FHIR's own segments.
    pub fn parse(text: &str, max: usize) -> Option<Self> {
        (is_logical_id(text, max) && !text.starts_with('_')).then(|| Self(text.into()))
    }

    /// The id itself: patient data.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for LogicalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[id]")
    }
}

/// One search parameter. Its value can be patient data: not in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Param {
    /// The name, from the table.
    pub name: &'static str,
    /// The modifier, if any.
    pub modifier: Option<Modifier>,
    /// The value, decoded once.
    pub value: String,
}

impl std::fmt::Debug for Param {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Param")
            .field("name", &self.name)
            .field("modifier", &self.modifier)
            .finish_non_exhaustive()
    }
}

/// A search on one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// On which type.
    pub resource_type: ResourceType,
    /// The union of query and form.
    pub params: Vec<Param>,
    /// Sent by POST `_search`, and forwarded the same way.
    pub by_post: bool,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interaction {
    /// `GET [type]/[id]`
    Read {
        /// The type.
        resource_type: ResourceType,
        /// The id.
        id: LogicalId,
    },
    /// `GET [type]/[id]/_history/[vid]`
    VRead {
        /// The type.
        resource_type: ResourceType,
        /// The id.
        id: LogicalId,
        /// The version.
        version: LogicalId,
    },
    /// `GET [type]?…` and `POST [type]/_search`
    Search(Search),
    /// `GET metadata`
    Capabilities,
    /// `GET _page/[handle]`: the next page of a search, by a sealed handle of ours.
    Page {
        /// The handle, unopened.
        handle: String,
    },
}

impl Interaction {
    /// Parses a request. `max_id_length` is the vendor profile's.
    ///
    /// # Errors
    /// [`Rejection`] for everything that is not on the list.
    pub fn parse(request: &RawRequest<'_>, max_id_length: usize) -> Result<Self, Rejection> {
        if request.method == Method::Other {
            return Err(Rejection::new(Code::MethodNotAllowed, "the method is neither GET nor POST"));
        }
        let segments = segments(request.path)?;
        match (request.method, segments.as_slice()) {
            (Method::Get, ["metadata"]) => {
                query::only_format(request.query)?;
                Ok(Self::Capabilities)
            }
            (Method::Get, ["_page", handle]) => {
                query::only_format(request.query)?;
                Ok(Self::Page { handle: (*handle).to_owned() })
            }
            (Method::Get, [name]) => Self::search(request, name, false),
            (Method::Post, [name, "_search"]) => Self::search(request, name, true),
            (Method::Get, [name, id]) if !is_reserved(id) => {
                let resource_type = known_type(name)?;
                let id = logical_id(id, max_id_length)?;
                query::only_format(request.query)?;
                Ok(Self::Read { resource_type, id })
            }
            (Method::Get, [name, id, "_history", version]) if !is_reserved(id) && !is_reserved(version) => {
                let resource_type = known_type(name)?;
                let id = logical_id(id, max_id_length)?;
                let version = logical_id(version, max_id_length)?;
                query::only_format(request.query)?;
                Ok(Self::VRead { resource_type, id, version })
            }
            _ => Err(Rejection::new(Code::InteractionDenied, "the interaction is not on the list")),
        }
    }

    fn search(request: &RawRequest<'_>, name: &str, by_post: bool) -> Result<Self, Rejection> {
        if is_reserved(name) {
            return Err(Rejection::new(
                Code::InteractionDenied,
                "system-level interactions are not on the list",
            ));
        }
        let resource_type = known_type(name)?;
        let rule = TypeRule::of(resource_type).ok_or(TYPE_DENIED)?;
        let form = match (by_post, request.form) {
            (true, Some(form)) => Some(
                std::str::from_utf8(form)
                    .map_err(|_bytes| Rejection::new(Code::ParameterInvalid, "the form is not UTF-8"))?,
            ),
            _ => None,
        };
        let params = query::search_params(rule, request.query, form)?;
        Ok(Self::Search(Search { resource_type, params, by_post }))
    }

    /// The type asked for; `None` for the server's own description and for a page, whose type is inside the handle.
    pub fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Self::Read { resource_type, .. } | Self::VRead { resource_type, .. } => Some(*resource_type),
            Self::Search(search) => Some(search.resource_type),
            Self::Capabilities | Self::Page { .. } => None,
        }
    }

    /// The name in records, spans and metrics (FHIR's restful-interaction codes).
    pub fn name(&self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::VRead { .. } => "vread",
            Self::Search(_) | Self::Page { .. } => "search-type",
            Self::Capabilities => "capabilities",
        }
    }
}

const TYPE_DENIED: Rejection =
    Rejection { code: Code::TypeDenied, what: "the resource type is not on the list" };

/// Segments of FHIR's own: `_history`, `_search`, `$everything` …
fn is_reserved(segment: &str) -> bool {
    segment.starts_with(['_', '$'])
}

pub(crate) fn known_type(name: &str) -> Result<ResourceType, Rejection> {
    ResourceType::parse(name).filter(|t| TypeRule::of(*t).is_some()).ok_or(TYPE_DENIED)
}

pub(crate) fn logical_id(text: &str, max: usize) -> Result<LogicalId, Rejection> {
    LogicalId::parse(text, max).ok_or(Rejection::new(Code::PathInvalid, "the id is too long or malformed"))
}

/// Splits a raw path. No type, id or handle needs percent-encoding, so an encoded byte is a trick and refused as such,
/// like `..`, an empty segment, a parameter segment (`;`) or a backslash.
pub(crate) fn segments(path: &str) -> Result<Vec<&str>, Rejection> {
    let invalid = |what| Rejection::new(Code::PathInvalid, what);
    if path.len() > MAX_PATH {
        return Err(invalid("the path is too long"));
    }
    let rest = path.strip_prefix('/').ok_or(invalid("the path does not start with a slash"))?;
    let segments: Vec<&str> = rest.split('/').collect();
    for segment in &segments {
        if segment.is_empty() {
            return Err(invalid("a path segment is empty"));
        }
        if matches!(*segment, "." | "..") {
            return Err(invalid("a path segment is a dot segment"));
        }
        if !segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'$')) {
            return Err(invalid("a path segment holds a character that no type and no id has"));
        }
    }
    Ok(segments)
}

#[cfg(test)]
mod tests;
