//! References between resources (FHIR R4 §2.3.0): relative, absolute under the endpoint's base, contained, urn.
//!
//! A reference is only ever reduced to a type and an id under *this* base; an absolute URL elsewhere is foreign and is
//! never fetched with this launch's token.

use sallyport_model::ids::is_logical_id;

use crate::types::ResourceType;

/// Vendors' ids go beyond the 64 characters of R4; the storage bound is 256 (model::ids).
const MAX_ID: usize = 256;

/// An endpoint's FHIR base, kept in the form in which URLs are compared: scheme ignored, host in lower case, path exact,
/// no trailing slash (FHIR R4 §3.1.0.1.2: http and https are the same identity, the port is significant).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    authority: String,
    path: String,
}

impl Base {
    /// The base as registered; `None` when it is not an http(s) URL without query and fragment.
    pub fn parse(url: &str) -> Option<Self> {
        let (authority, path) = split_url(url)?;
        if path.contains(['?', '#']) {
            return None;
        }
        Some(Self { authority, path: path.trim_end_matches('/').to_owned() })
    }

    /// What follows the base in `url`, without the leading slash; `None` when `url` is not under this base.
    fn relative<'u>(&self, url: &'u str) -> Option<&'u str> {
        let (authority, path) = split_url(url)?;
        let rest = path.strip_prefix(self.path.as_str())?;
        (authority == self.authority).then(|| rest.strip_prefix('/')).flatten()
    }
}

/// Authority in lower case and the rest. User information in the authority makes it no URL of ours.
fn split_url(url: &str) -> Option<(String, &str)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    if authority.is_empty() || authority.contains('@') || authority.contains('\\') {
        return None;
    }
    Some((authority.to_ascii_lowercase(), path))
}

/// A reference, parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A resource at this endpoint.
    Local {
        /// Its type.
        resource_type: ResourceType,
        /// Its logical id.
        id: &'a str,
    },
    /// `#id`: a resource contained in the referring one; `#` alone is the container.
    Contained(&'a str),
    /// `urn:uuid:` or `urn:oid:`.
    Urn(&'a str),
    /// An absolute URL that is not under this base.
    Foreign,
    /// Anything else: canonical text, a conditional reference, nonsense.
    Other,
}

impl<'a> Reference<'a> {
    /// Parses the value of `Reference.reference` as found in a resource of the endpoint at `base`.
    pub fn parse(text: &'a str, base: &Base) -> Self {
        if let Some(id) = text.strip_prefix('#') {
            return Self::Contained(id);
        }
        if text.starts_with("urn:") {
            return Self::Urn(text);
        }
        let local = if text.contains("://") { base.relative(text) } else { Some(text) };
        match local {
            None => Self::Foreign,
            Some(local) => Self::local(local).unwrap_or(Self::Other),
        }
    }

    /// `Type/id` or `Type/id/_history/version`.
    fn local(text: &'a str) -> Option<Self> {
        let mut segments = text.split('/');
        let resource_type = ResourceType::parse(segments.next()?)?;
        let id = segments.next()?;
        let version_is_well_formed = match (segments.next(), segments.next()) {
            (None, _) => true,
            (Some("_history"), Some(version)) => is_logical_id(version, MAX_ID),
            _ => false,
        };
        (segments.next().is_none() && version_is_well_formed && is_logical_id(id, MAX_ID))
            .then_some(Self::Local { resource_type, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Reference<'_> {
        Reference::parse(text, &Base::parse("https://EHR.example.org:8443/api/fhir/").unwrap())
    }

    fn patient(id: &str) -> Reference<'_> {
        Reference::Local { resource_type: ResourceType::Patient, id }
    }

    #[test]
    fn relative_and_absolute_references_under_the_base_are_the_same() {
        for text in [
            "Patient/a-1",
            "Patient/a-1/_history/3",
            "https://ehr.example.org:8443/api/fhir/Patient/a-1",
            "http://ehr.example.org:8443/api/fhir/Patient/a-1/_history/2",
        ] {
            assert_eq!(parse(text), patient("a-1"), "{text}");
        }
    }

    #[test]
    fn look_alike_hosts_ports_and_prefixes_are_foreign() {
        for text in [
            "https://ehr.example.org/api/fhir/Patient/a-1",
            "https://ehr.example.org:8443.evil.org/api/fhir/Patient/a-1",
            "https://ehr.example.org:8443@evil.org/api/fhir/Patient/a-1",
            "https://ehr.example.org:8443/api/fhirx/Patient/a-1",
            "https://ehr.example.org:8443/API/fhir/Patient/a-1",
            "ftp://ehr.example.org:8443/api/fhir/Patient/a-1",
        ] {
            assert_eq!(parse(text), Reference::Foreign, "{text}");
        }
    }

    #[test]
    fn contained_urn_and_nonsense_are_no_local_resources() {
        assert_eq!(parse("#p1"), Reference::Contained("p1"));
        assert!(matches!(parse("urn:uuid:5b0f"), Reference::Urn(_)));
        for text in [
            "",
            "Patient",
            "Patient/",
            "Patient/..",
            "Patient/a/b",
            "Patient?identifier=x",
            "Patient/a/_history",
            "x/Patient/a",
        ] {
            assert_eq!(parse(text), Reference::Other, "{text}");
        }
    }
}
