//! The check on the way out: every returned resource against the same context that admitted the call.
//!
//! One foreign patient withholds the whole answer; what cannot be verified, is not covered or carries a label that no
//! policy permits is withheld by itself. What is released is text that was checked, put into a bundle written by us.

use std::collections::BTreeSet;

use sallyport_egress::{Bytes, HeaderValue, header};
use sallyport_fhir::{
    Bundle, Entry, Envelope, Limits, Mode, ResourceType, bundle, capability,
    compartment::{Verdict, verdict},
    params::{Ownership, TypeRule},
};
use sallyport_model::{AccessContext, Code, LaunchId, Micros, PolicyDecision, scope::Verb};
use sallyport_registry::Policy;

use super::{
    admit::{Admitted, Expected, covered, is_any_patient},
    paging::{self, Page, Pages},
    place::Place,
    recording::Tally,
    seen::SeenByLaunch,
    upstream::Answer,
};
use crate::error::{Refusal, unusable};

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
    /// Why something of a searchset was withheld: the first reason met.
    pub(crate) withheld: Option<Code>,
}

/// What the check needs to know.
pub(crate) struct Exit<'a> {
    pub(crate) access: &'a AccessContext,
    pub(crate) launch: LaunchId,
    pub(crate) policy: &'a Policy,
    pub(crate) place: &'a Place,
    pub(crate) seen: &'a SeenByLaunch,
    pub(crate) pages: &'a Pages,
    pub(crate) limits: Limits,
    /// `https://app.example/fhir/{launch}`
    pub(crate) own_base: String,
    pub(crate) now: Micros,
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
            Expected::Searchset { page, own_query } => self.searchset(admitted, *page, own_query, answer),
            Expected::Capabilities => self.capabilities(answer),
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
        page: u32,
        own_query: &str,
        answer: &Answer,
    ) -> Result<Released, Refusal> {
        let bundle =
            Bundle::parse(&answer.body, &self.limits).map_err(|fault| unusable(fault, answer.status))?;
        let mut kept: Vec<&Entry<'_>> = Vec::with_capacity(bundle.entries.len());
        let (mut withheld, mut reason) = (0, None);
        for entry in &bundle.entries {
            let resource = &entry.resource;
            if entry.mode == Mode::Outcome || resource.resource_type == Some(ResourceType::OperationOutcome) {
                // A server's words about the search: nothing vouches for what they hold.
                continue;
            }
            match self.judge(resource, admitted) {
                Err(Withheld::Foreign) => {
                    return Err(Refusal::upstream(Code::UpstreamForeignPatient, answer.status));
                }
                Ok(()) if resource.resource_type == admitted.resource_type => kept.push(entry),
                Ok(()) | Err(Withheld::Unverifiable | Withheld::NotReferred) => {
                    withheld += 1;
                    reason = reason.or(Some(Code::UpstreamInvalid));
                }
                Err(Withheld::Scope) => {
                    withheld += 1;
                    reason = reason.or(Some(Code::ScopeDenied));
                }
                Err(Withheld::Policy) => {
                    withheld += 1;
                    reason = reason.or(Some(Code::PolicyDenied));
                }
            }
        }
        let next = self.next_page(&bundle, admitted, page, answer)?;
        for entry in &kept {
            self.remember(&entry.resource);
        }
        let total = bundle.total.filter(|_| withheld == 0);
        let mut links = vec![("self", format!("{}/{own_query}", self.own_base))];
        links.extend(next.as_ref().map(|handle| ("next", format!("{}/_page/{handle}", self.own_base))));
        let written = bundle::write(bundle.id.as_deref(), total, &links, kept.iter().copied());
        let mut released = self.released(Bytes::from(written), answer);
        released.resources =
            kept.iter().map(|entry| answer.body.slice_ref(entry.resource.text.as_bytes())).collect();
        released.labels = labels_of(bundle.entries.iter().map(|entry| &entry.resource));
        released.next = next;
        released.is_altered = true;
        (released.etag, released.last_modified) = (None, None);
        released.tally.released = kept.len();
        released.tally.withheld = withheld;
        released.withheld = reason;
        Ok(released)
    }

    /// A link to another host is not followed, and an answer that holds one is not trusted.
    fn next_page(
        &self,
        bundle: &Bundle<'_>,
        admitted: &Admitted,
        page: u32,
        answer: &Answer,
    ) -> Result<Option<String>, Refusal> {
        let (Some(link), Some(resource_type)) = (bundle.link("next"), admitted.resource_type) else {
            return Ok(None);
        };
        let below = paging::below_base(link, &self.place.fhir_base, &self.place.pins);
        let below_base = below.ok_or(Refusal::upstream(Code::UpstreamForeignLink, answer.status))?;
        let next = Page { resource_type, number: page.saturating_add(1), below_base };
        let leads_here = paging::url(&self.place.fhir_base, &next).is_ok_and(|url| url == admitted.url);
        Ok((!leads_here).then(|| self.pages.seal(self.launch, &next, self.now)))
    }

    fn capabilities(&self, answer: &Answer) -> Result<Released, Refusal> {
        let is_covered = |resource_type| {
            let may = |verb| covered(self.access, &self.access.granted, resource_type, verb).is_ok();
            may(Verb::Read) || may(Verb::Search)
        };
        let written = capability::filter(&answer.body, &self.own_base, &self.limits, is_covered)
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
        let labels: Vec<String> = resource.security.iter().map(|c| label(&c.system, &c.code)).collect();
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
        self.seen.has(resource_type, id)
    }

    fn has_seen_target(&self, resource: &Envelope<'_>) -> bool {
        let rule = resource.resource_type.and_then(TypeRule::of);
        let Some(Ownership::Attached(path)) = rule.map(|r| r.ownership) else { return false };
        resource.references_at(path).any(|text| {
            match sallyport_fhir::Reference::parse(text, &self.place.base) {
                sallyport_fhir::Reference::Local { resource_type, id } => self.seen.has(resource_type, id),
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
            withheld: None,
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

/// Most labels worth a place in a record.
const MAX_LABELS: usize = 32;

fn labels_of<'e, 'a: 'e>(resources: impl Iterator<Item = &'e Envelope<'a>>) -> Vec<String> {
    let labels: BTreeSet<String> =
        resources.flat_map(|r| r.security.iter().map(|c| label(&c.system, &c.code))).collect();
    labels.into_iter().filter(|label| label.len() <= 128).take(MAX_LABELS).collect()
}
