//! A section of the normalised chart: its calls through the one pipeline, within one deadline, with reasons for gaps.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use sallyport_clinical as clinical;
use sallyport_clinical::{ChartSection, Context, Input, Query, ReadProblem, Section};
use sallyport_egress::{Bytes, Instant};
use sallyport_fhir::{Interaction, Method, RawRequest};
use sallyport_model::{Code, Micros, RequestId};

use super::{
    call::{self, Request},
    context,
    release::Released,
    session::Session,
};
use crate::{Gateway, error::Refusal};

/// Pages of one search that a section follows; vendors that ignore `_count` send ten entries a page.
const MAX_PAGES: usize = 5;

/// What one query gave.
#[derive(Default)]
struct Gathered {
    resources: Vec<(Bytes, Micros)>,
    problems: Vec<ReadProblem>,
}

/// Everything the calls of a section share.
struct Reading<'a> {
    gateway: &'a Gateway,
    session: &'a Arc<Session>,
    feature: String,
    request_id: RequestId,
    deadline: Instant,
    max_id_length: usize,
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
        Err(refusal) => return Err(call::refuse(gateway, session, request_id, refusal).await),
    };
    let Some(patient) = session.patient.as_ref() else {
        let refusal = Refusal::because(Code::PatientDenied, "this launch has no patient in context");
        return Err(call::refuse(gateway, session, request_id, refusal).await);
    };
    let place = gateway.places.of(&session.tenant, &session.endpoint).ok_or(Code::Internal)?;
    let context = Context { patient, encounter: session.encounter.as_ref(), fhir_base: &place.fhir_base };
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

    async fn query(&self, query: &Query) -> Gathered {
        let mut gathered = Gathered::default();
        let mut next = self.interaction(query).ok();
        if next.is_none() {
            gathered.problems.push(ReadProblem::from_code(Code::Internal, query.resource_type));
        }
        let mut pages = 0;
        while let Some(interaction) = next.take() {
            if pages == MAX_PAGES {
                gathered.problems.push(ReadProblem::truncated(query.resource_type));
                break;
            }
            match self.call(interaction).await {
                Ok(released) => next = gathered.take(released, query.resource_type),
                // What was read so far is shown, with a word that there is more.
                Err(_) if pages > 0 => gathered.problems.push(ReadProblem::truncated(query.resource_type)),
                Err(refusal) => {
                    gathered.problems.push(ReadProblem::from_code(refusal.code, query.resource_type));
                }
            }
            pages += 1;
        }
        gathered
    }

    async fn call(&self, interaction: Interaction) -> Result<Released, Refusal> {
        let request = Request {
            session: self.session,
            feature: Some(&self.feature),
            interaction,
            if_none_match: None,
            request_id: self.request_id,
            deadline: self.deadline,
        };
        call::run(self.gateway, request).await
    }

    /// Through the same parser as a request from outside: the plan has no way around the tables.
    fn interaction(&self, query: &Query) -> Result<Interaction, sallyport_fhir::Rejection> {
        let (path, params) = match &query.interaction {
            clinical::Interaction::Read(id) => (format!("/{}/{id}", query.resource_type), None),
            clinical::Interaction::Search(params) => {
                let encoded =
                    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
                (format!("/{}", query.resource_type), Some(encoded))
            }
        };
        let request = RawRequest { method: Method::Get, path: &path, query: params.as_deref(), form: None };
        Interaction::parse(&request, self.max_id_length)
    }
}

impl Gathered {
    /// Takes an answer's resources; gives the call for its next page.
    fn take(&mut self, released: Released, resource_type: &str) -> Option<Interaction> {
        let read_at = released.read_at;
        self.resources.extend(released.resources.into_iter().map(|resource| (resource, read_at)));
        self.problems.extend(released.withheld.map(|code| ReadProblem::from_code(code, resource_type)));
        released.next.map(|handle| Interaction::Page { handle })
    }
}
