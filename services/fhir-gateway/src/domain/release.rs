//! The check on the way out: every returned resource against the same context that admitted the call.
//!
//! One foreign patient withholds the whole answer; what cannot be verified, is not covered or carries a label that no
//! policy permits is withheld by itself. What is released is text that was checked, put into a bundle written by us.

mod pages;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use sallyport_egress::{Bytes, HeaderValue, header};
use sallyport_fhir::{
    Bundle, Entry, Envelope, Limits, ResourceType, bundle, capability,
    compartment::{Verdict, verdict},
    params::{Ownership, TypeRule},
};
use sallyport_model::{AccessContext, Code, Micros, PolicyDecision, scope::Verb};
use sallyport_registry::Policy;

use super::{
    admit::{Admitted, Expected, covered, is_any_patient},
    capability::rights::Rights,
    pager::Trail,
    paging::Pages,
    place::Place,
    recording::Tally,
    seen::SeenByLaunch,
    upstream::Answer,
};
use crate::error::{Refusal, unusable};
use pages::{believed_total, distinct, gap, is_remark, is_row};

/// An answer that may leave.
pub(crate) struct Released {
    /// What the caller gets: a resource, a bundle of ours, or nothing after a 304.
    pub(crate) body: Bytes,
    /// The released resources one by one.
    pub(crate) resources: Vec<Bytes>,
    /// The handle of the next page.
    pub(crate) next: Option<String>,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) last_modified: Option<HeaderValue>,
    /// Content differs from what the EHR sent (FHIR R4 §3.1.0.1: `X-Intermediary`).
    pub(crate) is_altered: bool,
    pub(crate) read_at: Micros,
    pub(crate) tally: Tally,
    /// Security labels met, for the record.
    pub(crate) labels: Vec<String>,
    /// Why a searchset is not everything: what was withheld here or there, what the EHR did not give.
    pub(crate) partial: Vec<Code>,
}

/// What the check needs to know.
pub(crate) struct Exit<'a> {
    pub(crate) access: &'a AccessContext,
    pub(crate) policy: &'a Policy,
    pub(crate) place: &'a Place,
    pub(crate) seen: &'a SeenByLaunch,
    pub(crate) pages: &'a Pages,
    /// What the endpoint offers by its statement and its answers.
    pub(crate) rights: &'a Rights,
    pub(crate) limits: Limits,
    /// `https://app.example/fhir/{launch}`
    pub(crate) own_base: String,
    pub(crate) now: Micros,
    /// References that would have let more through, had this process seen them: another may have.
    pub(crate) missed: Mutex<Vec<(ResourceType, String)>>,
}

/// Why one resource stays here.
enum Withheld {
    Foreign,
    Unverifiable,
    NotReferred,
    Scope,
    Policy,
}

impl Exit<'_> {
    /// Checks an answer.
    pub(crate) fn release(&self, admitted: &Admitted, answer: &Answer) -> Result<Released, Refusal> {
        if answer.status == 304 {
            return Ok(self.released(Bytes::new(), answer));
        }
        match &admitted.expected {
            Expected::Resource { id } => self.resource(admitted, id, answer),
            Expected::Searchset { trail, own_query } => self.searchset(admitted, trail, own_query, answer),
            Expected::Capabilities => self.capabilities(admitted, answer),
            // What is said about an export is read in `bulk.rs` and nowhere else.
            Expected::Export(_) => Err(Code::Internal.into()),
        }
    }

    fn resource(&self, admitted: &Admitted, id: &str, answer: &Answer) -> Result<Released, Refusal> {
        let envelope =
            Envelope::parse(&answer.body, &self.limits).map_err(|fault| unusable(fault, answer.status))?;
        let refusal = |code| Refusal::upstream(code, answer.status);
        // A foreign patient is told apart from a mistaken answer even when both are true.
        let judged = self.judge(&envelope, admitted);
        if matches!(judged, Err(Withheld::Foreign)) {
            return Err(refusal(Code::UpstreamForeignPatient));
        }
        if envelope.resource_type != admitted.resource_type || envelope.id.as_deref() != Some(id) {
            let what = Some("the answer is not the resource that was asked for");
            return Err(Refusal { what, ..refusal(Code::UpstreamInvalid) });
        }
        match judged {
            Ok(()) => {}
            Err(Withheld::Scope) => return Err(refusal(Code::ScopeDenied)),
            Err(Withheld::Policy) => return Err(refusal(Code::PolicyDenied)),
            Err(Withheld::Foreign | Withheld::Unverifiable | Withheld::NotReferred) => {
                return Err(Refusal {
                    what: Some("the resource does not say that it is this patient's"),
                    ..refusal(Code::PatientDenied)
                });
            }
        }
        self.remember(&envelope);
        let body = answer.body.slice_ref(envelope.text.as_bytes());
        let mut released = self.released(body.clone(), answer);
        released.labels = labels_of(std::iter::once(&envelope));
        released.resources.push(body);
        released.tally.released = 1;
        Ok(released)
    }

    fn searchset(
        &self,
        admitted: &Admitted,
        trail: &Trail,
        own_query: &str,
        answer: &Answer,
    ) -> Result<Released, Refusal> {
        let bundle =
            Bundle::parse(&answer.body, &self.limits).map_err(|fault| unusable(fault, answer.status))?;
        let followed = self.followed(&bundle, admitted, trail, answer)?;
        let mut is_new = followed.is_new.iter();
        let mut kept: Vec<&Entry<'_>> = Vec::with_capacity(bundle.entries.len());
        let (mut withheld, mut partial) = (0, Vec::new());
        for entry in &bundle.entries {
            let resource = &entry.resource;
            if is_remark(entry) {
                // A server's words about the search: nothing vouches for what they hold, but its codes are heard.
                partial.extend(gap(resource, &admitted.profile.errors));
                continue;
            }
            let is_row = is_row(entry, admitted);
            let is_repeated = is_row && is_new.next() == Some(&false);
            let reason = match self.judge(resource, admitted) {
                Err(Withheld::Foreign) => {
                    return Err(Refusal::upstream(Code::UpstreamForeignPatient, answer.status));
                }
                _ if is_repeated => continue,
                Ok(()) if resource.resource_type == admitted.resource_type => {
                    kept.push(entry);
                    continue;
                }
                Ok(()) | Err(Withheld::Unverifiable | Withheld::NotReferred) => Code::UpstreamInvalid,
                Err(Withheld::Scope) => Code::ScopeDenied,
                Err(Withheld::Policy) => Code::PolicyDenied,
            };
            withheld += 1;
            partial.push(reason);
        }
        for entry in &kept {
            self.remember(&entry.resource);
        }
        partial.extend(followed.partial);
        let partial =
            if sallyport_model::planted!("partial-untold") { Vec::new() } else { distinct(partial) };
        let next = followed.next.map(|page| self.pages.seal(self.access.authority, &page, self.now));
        let total = believed_total(&bundle, admitted).filter(|_| partial.is_empty());
        let mut links = vec![("self", format!("{}/{own_query}", self.own_base))];
        links.extend(next.as_ref().map(|handle| ("next", format!("{}/_page/{handle}", self.own_base))));
        let written = bundle::write(bundle.id.as_deref(), total, &links, kept.iter().copied(), &partial);
        let mut released = self.released(Bytes::from(written), answer);
        released.resources =
            kept.iter().map(|entry| answer.body.slice_ref(entry.resource.text.as_bytes())).collect();
        released.labels = labels_of(bundle.entries.iter().map(|entry| &entry.resource));
        released.next = next;
        released.is_altered = true;
        (released.etag, released.last_modified) = (None, None);
        released.tally.released = kept.len();
        released.tally.withheld = withheld;
        released.partial = partial;
        Ok(released)
    }

    /// The statement as it holds in effect: what the EHR states, its profile says and its answers have shown, under these
    /// scopes.
    fn capabilities(&self, admitted: &Admitted, answer: &Answer) -> Result<Released, Refusal> {
        let search = &admitted.profile.search;
        let may = |resource_type, verb| {
            covered(self.access, &self.access.granted, resource_type, verb).is_ok()
                && self.rights.offers(resource_type, verb, *search.statement_binds)
        };
        let declares = |resource_type, name: &str| {
            let declared = search.rule(resource_type).and_then(|rule| rule.declared.as_ref());
            let names_patient = TypeRule::of(resource_type).is_some_and(|rule| rule.names_patient(name));
            declared.is_none_or(|all| all.contains(&name) || names_patient)
        };
        let only = capability::Cut {
            allowed: &|resource_type| may(resource_type, Verb::Read) || may(resource_type, Verb::Search),
            offers: &|resource_type, code| {
                may(resource_type, if code == "read" { Verb::Read } else { Verb::Search })
            },
            takes: &declares,
        };
        let written = capability::filter(&answer.body, &self.own_base, &self.limits, &only)
            .map_err(|fault| unusable(fault, answer.status))?;
        let mut released = self.released(Bytes::from(written), answer);
        released.is_altered = true;
        (released.etag, released.last_modified) = (None, None);
        Ok(released)
    }

    /// Whether one resource may leave.
    fn judge(&self, resource: &Envelope<'_>, admitted: &Admitted) -> Result<(), Withheld> {
        if is_any_patient(self.access) || sallyport_model::planted!("foreign-patient-out") {
            return Ok(());
        }
        match verdict(resource, &self.access.patients, &self.place.base) {
            Verdict::Ours => {}
            Verdict::Foreign => return Err(Withheld::Foreign),
            Verdict::Unverifiable => return Err(Withheld::Unverifiable),
            Verdict::Shared if self.has_seen(resource) => {}
            Verdict::Attached if self.has_seen_target(resource) => {}
            Verdict::Shared | Verdict::Attached => return Err(Withheld::NotReferred),
        }
        let satisfies =
            |any_of: &super::admit::AnyOf| any_of.iter().any(|constraint| resource.satisfies(constraint));
        if !admitted.constraints.iter().all(satisfies) {
            return Err(Withheld::Scope);
        }
        let labels = labels(resource);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let name = resource.resource_type.map_or("", ResourceType::as_str);
        match self.policy.decide(self.access.purpose, name, &labels) {
            PolicyDecision::Permit(_) => Ok(()),
            PolicyDecision::Deny(_) => Err(Withheld::Policy),
        }
    }

    fn has_seen(&self, resource: &Envelope<'_>) -> bool {
        let (Some(resource_type), Some(id)) = (resource.resource_type, resource.id.as_deref()) else {
            return false;
        };
        self.has(resource_type, id)
    }

    fn has(&self, resource_type: ResourceType, id: &str) -> bool {
        let has = self.seen.has(resource_type, id);
        if !has {
            let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
            missed.push((resource_type, id.to_owned()));
        }
        has
    }

    fn has_seen_target(&self, resource: &Envelope<'_>) -> bool {
        let rule = resource.resource_type.and_then(TypeRule::of);
        let Some(Ownership::Attached(path)) = rule.map(|r| r.ownership) else { return false };
        resource.references_at(path).any(|text| {
            match sallyport_fhir::Reference::parse(text, &self.place.base) {
                sallyport_fhir::Reference::Local { resource_type, id } => self.has(resource_type, id),
                _ => false,
            }
        })
    }

    /// What is released, and what it refers to, may be read from now on.
    fn remember(&self, resource: &Envelope<'_>) {
        let itself = resource.resource_type.zip(resource.id.as_deref());
        self.seen.add(itself.into_iter().chain(resource.refers_to(&self.place.base)));
    }

    fn released(&self, body: Bytes, answer: &Answer) -> Released {
        let plain =
            |name| answer.headers.get(name).filter(|v| v.len() <= 2_048 && v.to_str().is_ok()).cloned();
        let tally = Tally {
            bytes: body.len(),
            status: answer.status,
            upstream_status: answer.status,
            ..Tally::default()
        };
        Released {
            body,
            resources: Vec::new(),
            next: None,
            etag: plain(header::ETAG),
            last_modified: plain(header::LAST_MODIFIED),
            is_altered: false,
            read_at: self.now,
            tally,
            labels: Vec::new(),
            partial: Vec::new(),
        }
    }
}

/// Code systems whose codes a policy names without their system.
const KNOWN_SYSTEMS: [&str; 8] = [
    "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "http://hl7.org/fhir/v3/Confidentiality",
    "http://hl7.org/fhir/v3/ActCode",
    "http://hl7.org/fhir/v3/ActReason",
    "http://hl7.org/fhir/v3/ObservationValue",
];

/// How a policy names a label: the code alone in HL7's systems, `system|code` in any other, where the same letter can
/// mean anything.
fn label(system: &str, code: &str) -> String {
    if KNOWN_SYSTEMS.contains(&system) { code.to_owned() } else { format!("{system}|{code}") }
}

/// How a policy names a resource's labels.
pub(super) fn labels(resource: &Envelope<'_>) -> Vec<String> {
    resource.security.iter().map(|c| label(&c.system, &c.code)).collect()
}

/// Most labels worth a place in a record.
const MAX_LABELS: usize = 32;

pub(crate) fn labels_of<'e, 'a: 'e>(resources: impl Iterator<Item = &'e Envelope<'a>>) -> Vec<String> {
    let labels: BTreeSet<String> =
        resources.flat_map(|r| r.security.iter().map(|c| label(&c.system, &c.code))).collect();
    labels.into_iter().filter(|label| label.len() <= 128).take(MAX_LABELS).collect()
}
