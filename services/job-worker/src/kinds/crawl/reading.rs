//! One patient being read: everything first, then one transaction.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_fhir::{Base, Envelope, Limits, ResourceType};
use sallyport_model::{Code, Micros, PatientId};
use sallyport_proto::gateway::v1::{
    Parameter, Read, Search, Searchset, call_request::Interaction, call_response::Outcome,
};
use sallyport_vendors::data::LastUpdated;

use super::{Options, merge::Lines};
use crate::{
    batch::{Batch, Fenced},
    gateway::Whose,
    halt::Halt,
    kinds::Fault,
    store::{self, Kept},
};

const DAY: Micros = 86_400 * 1_000_000;

/// More pages than this of one search, and the rest is left out with a word: a server that pages for ever must not hold the
/// run up.
const MAX_PAGES: usize = 1_000;

/// One type as it was read.
struct Typed {
    lines: Lines,
    read_at: Micros,
    full_read_at: Micros,
    watermark: Option<jiff::Timestamp>,
    partial: BTreeSet<String>,
}

/// A patient being read. Holds patient data: no `Debug`.
pub(super) struct Reading {
    patient: PatientId,
    subject: [u8; 32],
    base: Option<Base>,
    /// Changes can be asked for here.
    tells_changes: bool,
    full_before: Micros,
    hydrate_max: usize,
    types: BTreeMap<ResourceType, Typed>,
}

impl Reading {
    pub(super) async fn of(batch: &Batch, patient: &PatientId, options: &Options) -> Result<Self, Fault> {
        let run = batch.run();
        let profile = run
            .endpoint
            .behaviour
            .now(batch.now())
            .map_err(|code| Fault::Halt(Halt::Authority { code, scope: String::new() }))?;
        Ok(Self {
            patient: patient.clone(),
            subject: batch.subject(patient).await?,
            base: Base::parse(run.endpoint.base()),
            tells_changes: *profile.search.last_updated
                && matches!(*profile.data.last_updated, LastUpdated::Present),
            full_before: batch.now() - i64::from(options.full_every_days) * DAY,
            hydrate_max: options.hydrate_max,
            types: BTreeMap::new(),
        })
    }

    /// The Patient resource.
    pub(super) async fn patient(&mut self, batch: &Batch) -> Result<(), Fault> {
        let id = self.patient.expose().to_owned();
        let (json, read_at) = self.read(batch, ResourceType::Patient, &id).await?;
        let mut lines = Lines::default();
        lines.put(&json).ok_or(Fault::Item(Code::UpstreamInvalid))?;
        self.types.insert(ResourceType::Patient, Typed::whole(lines, read_at));
        Ok(())
    }

    async fn read(
        &self,
        batch: &Batch,
        resource_type: ResourceType,
        id: &str,
    ) -> Result<(Vec<u8>, Micros), Fault> {
        let read = Read { resource_type: resource_type.as_str().to_owned(), id: id.to_owned() };
        match batch.gateway().call(Whose::Patient(&self.patient), Interaction::Read(read)).await? {
            Outcome::Resource(resource) => Ok((resource.json.to_vec(), resource.read_at)),
            _ => Err(Fault::Item(Code::UpstreamInvalid)),
        }
    }

    /// One type of the patient's: the whole of it, or what has changed since it was last read.
    pub(super) async fn search(&mut self, batch: &Batch, resource_type: ResourceType) -> Result<(), Fault> {
        let mut typed = self.before(batch, resource_type).await?;
        let mut parameters = Vec::new();
        if let Some(since) = typed.watermark {
            parameters.push(Parameter { name: "_lastUpdated".to_owned(), value: format!("ge{since}") });
        } else {
            typed.full_read_at = batch.now();
        }
        let search = Search { resource_type: resource_type.as_str().to_owned(), parameters, by_post: false };
        let mut next = Interaction::Search(search);
        for page in 0.. {
            if page == MAX_PAGES {
                typed.partial.insert(Code::PartialPageLimit.as_str().to_owned());
                break;
            }
            batch.go_on()?;
            match batch.gateway().call(Whose::Patient(&self.patient), next).await? {
                Outcome::Searchset(set) => match typed.take(set)? {
                    Some(handle) => next = Interaction::Page(handle),
                    None => break,
                },
                _ => return Err(Fault::Item(Code::UpstreamInvalid)),
            }
        }
        if !self.tells_changes {
            typed.watermark = None;
        }
        self.types.insert(resource_type, typed);
        Ok(())
    }

    /// What an earlier run has kept, where it can be built on.
    async fn before(&self, batch: &Batch, resource_type: ResourceType) -> Result<Typed, Fault> {
        let run = batch.run();
        let nothing = Typed::whole(Lines::default(), batch.now());
        if !self.tells_changes {
            return Ok(nothing);
        }
        let place = (run.tenant.as_str(), run.job_id.as_str());
        let name = resource_type.as_str();
        let found =
            batch.store().snapshot(place, &self.subject, name, batch.now()).await.map_err(Halt::from)?;
        let Some(kept) = found.filter(|kept| kept.full_read_at > self.full_before) else {
            return Ok(nothing);
        };
        let Ok(watermark) = kept.watermark.parse() else { return Ok(nothing) };
        let opened = batch.open(kept.data_key_id, (&self.subject, name), &kept.sealed).await?;
        let Some(lines) = Lines::read(opened.expose()) else { return Ok(nothing) };
        Ok(Typed {
            lines,
            read_at: batch.now(),
            full_read_at: kept.full_read_at,
            watermark: Some(watermark),
            partial: BTreeSet::new(),
        })
    }

    /// Reads what the patient's resources refer to, each once.
    pub(super) async fn hydrate(
        &mut self,
        batch: &Batch,
        shared: &BTreeSet<ResourceType>,
    ) -> Result<(), Fault> {
        let mut wanted = self.references(shared);
        let is_cut = wanted.len() > self.hydrate_max;
        while wanted.len() > self.hydrate_max {
            wanted.pop_last();
        }
        for (resource_type, id) in wanted {
            batch.go_on()?;
            let outcome = self.read(batch, resource_type, &id).await;
            let typed = self
                .types
                .entry(resource_type)
                .or_insert_with(|| Typed::whole(Lines::default(), batch.now()));
            match outcome {
                Ok((json, read_at)) => {
                    typed.read_at = read_at;
                    typed.lines.put(&json).ok_or(Fault::Item(Code::UpstreamInvalid))?;
                }
                // A reference that leads nowhere says nothing about the patient.
                Err(Fault::Item(code)) if crate::gateway::is_for_good(code) => {
                    typed.partial.insert(code.as_str().to_owned());
                }
                Err(fault) => return Err(fault),
            }
            if is_cut {
                typed.partial.insert(Code::PartialPageLimit.as_str().to_owned());
            }
        }
        Ok(())
    }

    fn references(&self, shared: &BTreeSet<ResourceType>) -> BTreeSet<(ResourceType, String)> {
        let Some(base) = &self.base else { return BTreeSet::new() };
        let mut wanted = BTreeSet::new();
        for text in self.types.values().flat_map(|typed| typed.lines.texts()) {
            let Ok(envelope) = Envelope::parse(text, &Limits::default()) else { continue };
            for (resource_type, id) in envelope.refers_to(base) {
                if shared.contains(&resource_type) {
                    wanted.insert((resource_type, id.to_owned()));
                }
            }
        }
        wanted
    }

    /// Everything that was read, in one transaction that the engine commits together with the checkpoint.
    pub(super) async fn write(self, batch: &Batch) -> Result<Fenced, Halt> {
        let run = batch.run();
        let expires_at = batch.now() + i64::from(run.job.keep_days) * DAY;
        let mut effects = batch.begin().await?;
        for (resource_type, typed) in &self.types {
            let name = resource_type.as_str();
            let watermark = typed.watermark.map(|at| at.to_string()).unwrap_or_default();
            let partial: Vec<&str> = typed.partial.iter().map(String::as_str).collect();
            let kept = Kept {
                tenant: run.tenant.as_str(),
                job: run.job_id.as_str(),
                subject: self.subject,
                resource_type: name,
                run: run.id,
                sealed: batch.seal((&self.subject, name), &typed.lines.write()),
                resources: i64::try_from(typed.lines.len()).unwrap_or(i64::MAX),
                read_at: typed.read_at,
                full_read_at: typed.full_read_at,
                watermark: &watermark,
                partial: &partial.join(","),
                expires_at,
            };
            store::keep(effects.tx(), &kept).await?;
        }
        Ok(effects)
    }
}

impl Typed {
    fn whole(lines: Lines, read_at: Micros) -> Self {
        Self { lines, read_at, full_read_at: read_at, watermark: None, partial: BTreeSet::new() }
    }

    /// Takes a page; gives the handle of the next.
    fn take(&mut self, set: Searchset) -> Result<Option<String>, Fault> {
        for json in &set.resources {
            let placed = self.lines.put(json).ok_or(Fault::Item(Code::UpstreamInvalid))?;
            self.watermark = self.watermark.max(placed.changed_at);
        }
        self.read_at = set.read_at;
        self.partial.extend(set.partial);
        Ok((!set.next.is_empty()).then_some(set.next))
    }
}
