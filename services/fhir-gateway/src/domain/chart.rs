//! A section of the normalised chart: its calls through the one pipeline, within one deadline, with reasons for gaps.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use sallyport_clinical as clinical;
use sallyport_clinical::{ChartSection, Context, Input, Query, ReadProblem, Section};
use sallyport_egress::{Bytes, Instant};
use sallyport_fhir::{Envelope, Interaction, Limits, Method, RawRequest};
use sallyport_model::{Code, Micros, RequestId};
use sallyport_resilience::Priority;

use super::{
    call::{self, Request},
    context, pager,
    release::Released,
    session::Session,
};
use crate::{Gateway, error::Refusal};

/// What one query gave.
#[derive(Default)]
struct Gathered {
    resources: Vec<(Bytes, Micros)>,
    problems: Vec<ReadProblem>,
    /// Where each row of a search of several pages is, by its id.
    rows: HashMap<String, usize>,
    bytes: usize,
}

/// Everything the calls of a section share.
struct Reading<'a> {
    gateway: &'a Gateway,
    session: &'a Arc<Session>,
    feature: String,
    request_id: RequestId,
    deadline: Instant,
    max_id_length: usize,
    mapping: clinical::Mapping,
}

/// Reads a section. What could not be read is part of the answer, not an error.
pub(crate) async fn section(
    gateway: &Gateway,
    session: &Arc<Session>,
    section: Section,
    named_feature: Option<&str>,
    request_id: RequestId,
) -> Result<ChartSection, Refusal> {
    let prepared = prepare(gateway, session, section, named_feature, request_id);
    let reading = match prepared {
        Ok(reading) => reading,
        Err(refusal) => return Err(call::refuse(gateway, session.into(), request_id, refusal).await),
    };
    let Some(patient) = session.patient.as_ref() else {
        let refusal = Refusal::because(Code::PatientDenied, "this launch has no patient in context");
        return Err(call::refuse(gateway, session.into(), request_id, refusal).await);
    };
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    let context = Context {
        patient,
        encounter: session.encounter.as_ref(),
        fhir_base: &place.fhir_base,
        fhir_version: gateway.capabilities.fhir_version(place),
        mapping: place.mapping,
    };
    let mut gathered = reading.all(&clinical::plan(section, &context)).await;
    let follow_up = clinical::follow_up(section, &context, &inputs(&gathered.resources));
    if !follow_up.is_empty() {
        let more = reading.all(&follow_up).await;
        gathered.resources.extend(more.resources);
        gathered.problems.extend(more.problems);
    }
    Ok(clinical::normalise(section, &context, &inputs(&gathered.resources), gathered.problems))
}

fn prepare<'a>(
    gateway: &'a Gateway,
    session: &'a Arc<Session>,
    section: Section,
    named: Option<&str>,
    request_id: RequestId,
) -> Result<Reading<'a>, Refusal> {
    let entry = context::entry(&gateway.registry, session)?;
    let feature = context::feature_for_section(&entry, session, named, section.as_str())?;
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    Ok(Reading {
        gateway,
        session,
        feature: feature.id.as_str().to_owned(),
        request_id,
        deadline: Instant::now() + Duration::from_millis(gateway.config.section_deadline_ms),
        max_id_length: place.max_id_length,
        mapping: place.mapping,
    })
}

fn inputs(resources: &[(Bytes, Micros)]) -> Vec<Input<'_>> {
    resources.iter().map(|(resource, read_at)| Input { resource, read_at: *read_at }).collect()
}

impl Reading<'_> {
    async fn all(&self, queries: &[Query]) -> Gathered {
        let mut all = Gathered::default();
        for one in join_all(queries.iter().map(|query| Box::pin(self.query(query)))).await {
            all.resources.extend(one.resources);
            all.problems.extend(one.problems);
        }
        all
    }

    /// Reads every page there is, within the deadline and the caps of one answer.
    async fn query(&self, query: &Query) -> Gathered {
        let mut gathered = Gathered::default();
        let Ok(first) = interaction(query, self.max_id_length) else {
            gathered.says(Code::Internal, query.resource_type);
            return gathered;
        };
        let (mut next, mut has_restarted) = (Some(first.clone()), false);
        while let Some(interaction) = next.take() {
            if self.is_full(&gathered) {
                gathered.says(Code::PartialPageLimit, query.resource_type);
                break;
            }
            match self.call(interaction).await {
                Ok(released) => next = gathered.take(released, query.resource_type),
                // The EHR forgot the search: once more from the start. What was read already is kept once.
                Err(refusal) if refusal.code == Code::UpstreamPageExpired && !has_restarted => {
                    has_restarted = true;
                    next = Some(first.clone());
                }
                // What was read so far is shown, with a word that there is more.
                Err(_) if !gathered.resources.is_empty() => {
                    gathered.problems.push(ReadProblem::truncated(query.resource_type));
                }
                Err(refusal) => gathered.says(refusal.code, query.resource_type),
            }
        }
        gathered
    }

    fn is_full(&self, gathered: &Gathered) -> bool {
        let config = &self.gateway.config;
        gathered.resources.len() >= config.max_entries || gathered.bytes >= config.max_answer_bytes
    }

    async fn call(&self, interaction: Interaction) -> Result<Released, Refusal> {
        let request = Request {
            holder: self.session.into(),
            feature: Some(&self.feature),
            interaction,
            if_none_match: None,
            request_id: self.request_id,
            priority: Priority::Interactive,
            deadline: self.deadline,
            mapping: Some(self.mapping),
        };
        call::run(self.gateway, request).await
    }
}

/// A query of the plan, through the same parser as a request from outside: the plan has no way around the tables.
pub(crate) fn interaction(
    query: &Query,
    max_id_length: usize,
) -> Result<Interaction, sallyport_fhir::Rejection> {
    let (path, params) = match &query.interaction {
        clinical::Interaction::Read(id) => (format!("/{}/{id}", query.resource_type), None),
        clinical::Interaction::Search(params) => {
            let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
            (format!("/{}", query.resource_type), Some(encoded))
        }
    };
    let request = RawRequest { method: Method::Get, path: &path, query: params.as_deref(), form: None };
    Interaction::parse(&request, max_id_length)
}

impl Gathered {
    /// Takes an answer's resources; gives the call for its next page.
    fn take(&mut self, released: Released, resource_type: &str) -> Option<Interaction> {
        let is_alone = released.next.is_none() && self.resources.is_empty();
        for resource in released.resources {
            self.bytes = self.bytes.saturating_add(resource.len());
            if is_alone || self.is_new(&resource, released.read_at) {
                self.resources.push((resource, released.read_at));
            }
        }
        for code in released.partial {
            self.says(code, resource_type);
        }
        released.next.map(|handle| Interaction::Page { handle })
    }

    /// Whether a row was not there before. A later version takes the place of an earlier one.
    fn is_new(&mut self, resource: &Bytes, read_at: Micros) -> bool {
        let limits = Limits::default();
        let Ok(row) = Envelope::parse(resource, &limits) else { return true };
        let Some(id) = row.id.as_deref() else { return true };
        let Some(at) = self.rows.get(id) else {
            self.rows.insert(id.to_owned(), self.resources.len());
            return true;
        };
        if let Some(earlier) = self.resources.get_mut(*at) {
            let is_later =
                Envelope::parse(&earlier.0, &limits).is_ok_and(|known| pager::is_newer(&row, &known));
            if is_later {
                *earlier = (resource.clone(), read_at);
            }
        }
        false
    }

    /// Notes a gap once: a search says with every page what holds for all of them.
    fn says(&mut self, code: Code, resource_type: &str) {
        let problem = ReadProblem::from_code(code, resource_type);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}
