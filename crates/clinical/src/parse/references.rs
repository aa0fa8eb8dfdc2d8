//! References: which of them point into this server.

use sallyport_model::ids::is_logical_id;

/// Longest id that any known EHR uses is 130 characters; this is the storage bound.
const MAX_ID_LENGTH: usize = 256;

/// `(type, id)` of a reference into this server: `Type/id`, or absolute under `fhir_base`; versions are cut off.
///
/// Everything else is `None`: contained (`#x`), logical, `urn:`, and absolute references to other hosts, which are never
/// followed.
pub(crate) fn local_reference<'r>(reference: &'r str, fhir_base: &str) -> Option<(&'r str, &'r str)> {
    let relative = match reference.strip_prefix(fhir_base.trim_end_matches('/')) {
        Some(rest) if !fhir_base.is_empty() => rest.strip_prefix('/')?,
        _ => reference,
    };
    let mut parts = relative.split('/');
    let (kind, id) = (parts.next()?, parts.next()?);
    let versioned = match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => true,
        (Some("_history"), Some(version), None) => is_logical_id(version, MAX_ID_LENGTH),
        _ => false,
    };
    let is_type =
        kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.bytes().all(|b| b.is_ascii_alphabetic());
    (versioned && is_type && is_logical_id(id, MAX_ID_LENGTH)).then_some((kind, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_into_this_server_resolve() {
        let base = "https://ehr.example/fhir/";
        for (reference, expected) in [
            ("Medication/a.b-c_d", Some(("Medication", "a.b-c_d"))),
            ("https://ehr.example/fhir/Medication/a", Some(("Medication", "a"))),
            ("Medication/a/_history/2", Some(("Medication", "a"))),
            ("https://ehr.example/fhirx/Medication/a", None),
            ("https://elsewhere.example/Medication/a", None),
            ("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", None),
            ("#med", None),
            ("urn:uuid:1", None),
            ("Medication/..", None),
            ("Medication/a/b", None),
            ("Medication/a?x=1", None),
            ("/Medication/a", None),
            ("", None),
        ] {
            assert_eq!(local_reference(reference, base), expected, "{reference}");
        }
        assert_eq!(local_reference("Medication/a", ""), Some(("Medication", "a")));
    }
}
