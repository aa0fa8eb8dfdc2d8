//! What real answers look like, sampled as they are released: shapes without values, and which interactions were answered
//! or refused. Kept in memory for some minutes, then added to the database. Off, it costs the look at one number.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sallyport_egress::Bytes;
use sallyport_fhir::{Envelope, Limits, ResourceType, shape::Shape};
use sallyport_model::{Code, EndpointId, TenantId, scope::Verb};
use serde::{Deserialize, Serialize};

use super::{
    rights::interaction,
    snapshot::{Area, Facts, Snapshot, of_shapes},
};

/// Of one answer at most so many resources are looked at.
const MOST_OF_AN_ANSWER: usize = 5;
/// An interaction that was refused so often and never answered is not offered.
const REFUSED_ENOUGH: u64 = 3;

/// What was seen of one endpoint.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Sample {
    #[serde(default)]
    shapes: BTreeMap<String, SampledShape>,
    /// `Type interaction`: how often answered, how often refused as not offered.
    #[serde(default)]
    answers: BTreeMap<String, (u64, u64)>,
}

/// A shape as rows keep it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct SampledShape {
    sampled: u64,
    marks: BTreeMap<String, u64>,
}

impl Sample {
    /// Adds what another replica, or another time, has seen.
    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, theirs) in other.shapes {
            let ours = self.shapes.entry(kind).or_default();
            let mut shape = Shape { sampled: ours.sampled, marks: std::mem::take(&mut ours.marks) };
            shape.merge(&Shape { sampled: theirs.sampled, marks: theirs.marks });
            *ours = SampledShape { sampled: shape.sampled, marks: shape.marks };
        }
        for (subject, (answered, refused)) in other.answers {
            let sum = self.answers.entry(subject).or_default();
            *sum = (sum.0 + answered, sum.1 + refused);
        }
    }

    fn shape(&mut self, kind: &str, text: &str) {
        let kept = self.shapes.entry(kind.to_owned()).or_default();
        let mut shape = Shape { sampled: kept.sampled, marks: std::mem::take(&mut kept.marks) };
        shape.add(text);
        *kept = SampledShape { sampled: shape.sampled, marks: shape.marks };
    }

    /// As the areas of a snapshot; an area of which nothing was seen is left out.
    pub(crate) fn areas(self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let shapes: BTreeMap<String, Shape> = self
            .shapes
            .into_iter()
            .map(|(kind, seen)| (kind, Shape { sampled: seen.sampled, marks: seen.marks }))
            .collect();
        if !shapes.is_empty() {
            snapshot
                .0
                .insert(Area::Shapes, of_shapes(shapes.iter().map(|(kind, shape)| (kind.as_str(), shape))));
        }
        let judged = self.answers.into_iter().filter_map(|(subject, seen)| match seen {
            (0, REFUSED_ENOUGH..) => Some((subject, "refused".to_owned())),
            (0, _) => None,
            _ => Some((subject, "answered".to_owned())),
        });
        let judged: Facts = judged.collect();
        if !judged.is_empty() {
            snapshot.0.insert(Area::Answers, judged);
        }
        snapshot
    }
}

/// Samples of all endpoints of this replica.
pub(crate) struct Observed {
    /// Of so many answers one is looked at; 0: none.
    one_in: u64,
    turn: AtomicU64,
    samples: Mutex<BTreeMap<(TenantId, EndpointId), Sample>>,
}

impl Observed {
    pub(crate) fn new(one_in: u64) -> Self {
        Self { one_in, turn: AtomicU64::new(0), samples: Mutex::default() }
    }

    /// Whether this answer is looked at: those of a look all, of others one in so many. Refusals are rare, and each counts.
    pub(crate) fn is_wanted(&self, is_look: bool, is_answered: bool) -> bool {
        is_look
            || self.one_in != 0
                && (!is_answered || self.turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.one_in))
    }

    /// Looks at an answer that is released.
    pub(crate) fn released(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        asked: Option<(ResourceType, Verb)>,
        resources: &[Bytes],
    ) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = samples.entry((tenant.clone(), endpoint.clone())).or_default();
        note(sample, asked, true);
        let limits = Limits::default();
        for body in resources.iter().take(MOST_OF_AN_ANSWER) {
            let Ok(envelope) = Envelope::parse(body, &limits) else { continue };
            if let Some(kind) = envelope.resource_type {
                sample.shape(kind.as_str(), envelope.text);
            }
        }
    }

    /// Notes a refusal by the EHR.
    pub(crate) fn refused(
        &self,
        tenant: &TenantId,
        endpoint: &EndpointId,
        asked: Option<(ResourceType, Verb)>,
        code: Code,
    ) {
        if code != Code::UpstreamNotOffered {
            return;
        }
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        note(samples.entry((tenant.clone(), endpoint.clone())).or_default(), asked, false);
    }

    /// Takes what was seen since the last time.
    pub(crate) fn take(&self) -> BTreeMap<(TenantId, EndpointId), Sample> {
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be stored.
    pub(crate) fn put_back(&self, key: (TenantId, EndpointId), sample: Sample) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.entry(key).or_default().merge(sample);
    }
}

fn note(sample: &mut Sample, asked: Option<(ResourceType, Verb)>, is_answered: bool) {
    let Some((kind, verb)) = asked else { return };
    let Some(interaction) = interaction(verb) else { return };
    let sum = sample.answers.entry(format!("{} {interaction}", kind.as_str())).or_default();
    *sum = (sum.0 + u64::from(is_answered), sum.1 + u64::from(!is_answered));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Option<(ResourceType, Verb)> = Some((ResourceType::Condition, Verb::Search));

    fn place() -> (TenantId, EndpointId) {
        (TenantId::parse("general").unwrap(), EndpointId::parse("main").unwrap())
    }

    fn seen(one_in: u64, answers: usize) -> Snapshot {
        let observed = Observed::new(one_in);
        let (tenant, endpoint) = place();
        let body =
            Bytes::from_static(br#"{"resourceType":"Condition","id":"jane","code":{"text":"Jane Roe"}}"#);
        for _ in (0..answers).filter(|_| observed.is_wanted(false, true)) {
            observed.released(&tenant, &endpoint, SEARCH, std::slice::from_ref(&body));
        }
        let mut all = Sample::default();
        // As it comes back from a row.
        for sample in observed.take().into_values() {
            let text = serde_json::to_string(&sample).unwrap();
            assert!(!text.contains("jane") && !text.contains("Jane"), "{text}");
            all.merge(serde_json::from_str(&text).unwrap());
        }
        all.areas()
    }

    #[test]
    fn one_of_so_many_answers_is_looked_at_and_off_is_off() {
        assert_eq!(seen(0, 9), Snapshot::default());
        let shapes = seen(3, 9).area(Area::Shapes).unwrap().clone();
        assert_eq!(shapes["Condition"], "3");
        assert_eq!(shapes["Condition element code.text text"], "3");
        assert_eq!(seen(1, 1).area(Area::Answers).unwrap()["Condition search-type"], "answered");
    }

    #[test]
    fn what_is_refused_three_times_and_never_answered_is_not_offered() {
        let (tenant, endpoint) = place();
        let after = |refusals: usize, code| {
            let observed = Observed::new(1);
            (0..refusals).for_each(|_| observed.refused(&tenant, &endpoint, SEARCH, code));
            let mut all = Sample::default();
            observed.take().into_values().for_each(|sample| all.merge(sample));
            all.areas().area(Area::Answers).cloned().unwrap_or_default()
        };
        assert_eq!(after(3, Code::UpstreamNotOffered)["Condition search-type"], "refused");
        assert!(after(2, Code::UpstreamNotOffered).is_empty());
        assert!(after(9, Code::UpstreamForbidden).is_empty(), "missing rights are another matter");
    }
}
