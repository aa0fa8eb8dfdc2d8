//! One patient being read for the measures: each search whole, and what could not be read beside it.

use std::collections::BTreeMap;

use bytes::Bytes;
use sallyport_care_gaps::{Kind, Need, Read as Entries, Record};
use sallyport_clinical::{Context, Input, ReadProblem};
use sallyport_model::{Code, Micros, PatientId};
use sallyport_proto::gateway::v1::{
    Parameter, Read, Search, Searchset, call_request::Interaction, call_response::Outcome,
};

use crate::{
    batch::Batch,
    gateway::{Whose, is_for_good},
    kinds::Fault,
    run::Run,
};

/// More pages than this of one search, and the rest is left out with a word.
const MAX_PAGES: usize = 200;

/// What was read of one kind.
#[derive(Default)]
struct Found {
    resources: Vec<(Bytes, Micros)>,
    problems: Vec<ReadProblem>,
}

/// A patient being read. Holds patient data: no `Debug`.
#[derive(Default)]
pub(super) struct Reading {
    kinds: BTreeMap<Kind, Found>,
}

impl Reading {
    /// The grant does not cover that kind: not asked for, and told.
    pub(super) fn not_granted(&mut self, kind: Kind) {
        let problem = ReadProblem::from_code(Code::ScopeDenied, kind.resource_type());
        self.kinds.entry(kind).or_default().problems.push(problem);
    }

    /// Reads what a need asks for. What the EHR or the policy refuses for good is told and leaves the rest as it is; what may
    /// be different the next time is the item's fault.
    pub(super) async fn read(
        &mut self,
        batch: &Batch,
        patient: &PatientId,
        need: &Need,
    ) -> Result<(), Fault> {
        let found = self.kinds.entry(need.kind).or_default();
        let resource_type = need.kind.resource_type().to_owned();
        let mut next = if need.kind == Kind::Patient {
            Interaction::Read(Read { resource_type, id: patient.expose().to_owned() })
        } else {
            let parameters = need.parameters().into_iter();
            let parameters =
                parameters.map(|(name, value)| Parameter { name: name.to_owned(), value }).collect();
            Interaction::Search(Search { resource_type, parameters, by_post: false })
        };
        for page in 0.. {
            if page == MAX_PAGES {
                found.problem(Code::PartialPageLimit, need.kind);
                break;
            }
            batch.go_on()?;
            match batch.gateway().call(Whose::Patient(patient), next).await {
                Ok(Outcome::Resource(resource)) => {
                    found.resources.push((resource.json, resource.read_at));
                    break;
                }
                Ok(Outcome::Searchset(set)) => match found.take(set, need.kind) {
                    Some(handle) => next = Interaction::Page(handle),
                    None => break,
                },
                Ok(_) => return Err(Fault::Item(Code::UpstreamInvalid)),
                Err(Fault::Item(code)) if is_for_good(code) => {
                    found.problem(code, need.kind);
                    break;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// The patient's record.
    pub(super) fn record(self, run: &Run, patient: &PatientId) -> Record {
        let context = Context {
            patient,
            encounter: None,
            fhir_base: run.endpoint.base(),
            // A definition without it is refused.
            fhir_version: run.endpoint.configured_version.unwrap_or_default(),
            mapping: run.endpoint.mapping,
        };
        let inputs: Vec<(Kind, Vec<Input<'_>>)> = self
            .kinds
            .iter()
            .map(|(kind, found)| {
                let all = found.resources.iter();
                (*kind, all.map(|(json, read_at)| Input { resource: json, read_at: *read_at }).collect())
            })
            .collect();
        let reads = inputs.iter().zip(self.kinds.values()).map(|((kind, inputs), found)| Entries {
            kind: *kind,
            inputs,
            problems: found.problems.clone(),
        });
        Record::new(&context, reads.collect())
    }
}

impl Found {
    /// Takes a page; gives the handle of the next.
    fn take(&mut self, set: Searchset, kind: Kind) -> Option<String> {
        let read_at = set.read_at;
        self.resources.extend(set.resources.into_iter().map(|json| (json, read_at)));
        for word in set.partial {
            // A reason that is not known here is a reason all the same.
            self.problem(Code::parse(&word).unwrap_or(Code::UpstreamInvalid), kind);
        }
        (!set.next.is_empty()).then_some(set.next)
    }

    fn problem(&mut self, code: Code, kind: Kind) {
        self.problems.push(ReadProblem::from_code(code, kind.resource_type()));
    }
}
