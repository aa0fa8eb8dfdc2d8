//! What is not as it is configured, whether or not it changed: it stays a finding until it is put right.

use sallyport_clinical::FhirVersion;
use sallyport_fhir::ResourceType;
use sallyport_model::scope::Verb;
use sallyport_registry::Endpoint;
use sallyport_vendors::writes::Trust;

use super::{
    classify::{Class, Finding},
    diff::{Change, What},
    rights::Rights,
    snapshot::{Area, Snapshot},
    touch::Touch,
};

/// Every mismatch between a snapshot and what is configured, the worst first.
pub(crate) fn mismatches(snapshot: &Snapshot, endpoint: &Endpoint, touch: &Touch) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |area, subject: &str, values: (&str, &str), class, features: Vec<String>| {
        let (before, after) = (values.0.to_owned(), values.1.to_owned());
        let change = Change { area, subject: subject.to_owned(), what: What::Mismatch, before, after };
        found.push(Finding { change, class, features });
    };
    if let Some(facts) = snapshot.area(Area::Smart) {
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "issuer"] {
            let pinned = touch.pins.get(name).map(|all| all.join(" ")).unwrap_or_default();
            if let Some(is) = facts.get(name).filter(|is| !touch.pinned(name, is))
                && !(name == "issuer" && pinned.is_empty())
            {
                add(Area::Smart, name, (&pinned, is), Class::Breaking, touch.all());
            }
        }
    }
    if let Some(facts) = snapshot.area(Area::Statement) {
        let rights = Rights::of(snapshot);
        if let (Some(configured), Some(number)) = (endpoint.configured_version, facts.get("fhirVersion"))
            && FhirVersion::from_statement(number) != Ok(configured)
        {
            add(Area::Statement, "fhirVersion", (configured.as_str(), number), Class::Breaking, touch.all());
        }
        let binding = *endpoint.behaviour.known().search.statement_binds;
        for feature in &touch.features {
            for kind in feature.required.iter().chain(&feature.optional) {
                let Some(resource_type) = ResourceType::parse(kind) else { continue };
                // What belongs to nobody is read by reference and needs no search.
                let is_offered =
                    [Verb::Read, Verb::Search].iter().any(|verb| rights.offers(resource_type, *verb, true));
                if !is_offered {
                    let class = match (binding, feature.required.contains(kind)) {
                        (false, _) => Class::Note,
                        (true, true) => Class::Breaking,
                        (true, false) => Class::Loses,
                    };
                    add(Area::Statement, kind, ("used", "not stated"), class, vec![feature.id.clone()]);
                }
            }
        }
        for (kind, param) in &touch.params {
            let Some(resource_type) = ResourceType::parse(kind) else { continue };
            if !rights.takes(resource_type, param, true) {
                let class = if binding { Class::Loses } else { Class::Note };
                let (_, features) = touch.by_type(kind);
                add(Area::Statement, &format!("{kind} ?{param}"), ("used", "not stated"), class, features);
            }
        }
        let writes = &endpoint.behaviour.known().writes;
        if *writes.trust != Trust::Statement {
            for (subject, _) in facts.iter().filter(|(subject, _)| subject.ends_with(" create")) {
                let kind = subject.split(' ').next().unwrap_or_default();
                if !writes.creates.iter().any(|listed| listed == kind) {
                    add(Area::Statement, subject, ("not in the contract", "stated"), Class::Note, Vec::new());
                }
            }
        }
    }
    found.sort_by(|a, b| {
        (a.class, &a.change.subject, &a.features).cmp(&(b.class, &b.change.subject, &b.features))
    });
    // One finding a subject: several features may miss the same type.
    let mut merged: Vec<Finding> = Vec::new();
    for finding in found {
        match merged.iter_mut().find(|known| known.change == finding.change) {
            Some(known) => known.features.extend(finding.features),
            None => merged.push(finding),
        }
    }
    merged
}
