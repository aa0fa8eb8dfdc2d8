//! What a searchset says beside its rows: where it goes on, how many there are, and what is missing.

use sallyport_fhir::{Bundle, Entry, Envelope, Mode, ResourceType, outcome};
use sallyport_model::Code;
use sallyport_vendors::{Text, errors::Errors, paging::Total};

use super::Exit;
use crate::{
    domain::{
        admit::Admitted,
        pager::{Met, Trail},
        paging::{self, Page},
        upstream::Answer,
    },
    error::Refusal,
};

impl Exit<'_> {
    /// Where the search goes on. A link to another host is not followed, and an answer that holds one is not trusted.
    pub(super) fn followed(
        &self,
        bundle: &Bundle<'_>,
        admitted: &Admitted,
        trail: &Trail,
        answer: &Answer,
    ) -> Result<Followed, Refusal> {
        let resource_type = admitted.resource_type.ok_or(Code::Internal)?;
        let below_base = match bundle.link("next") {
            None => None,
            Some(link) => {
                let below = paging::below_base(link, &self.place.fhir_base, &self.place.pins);
                Some(below.ok_or(Refusal::upstream(Code::UpstreamForeignLink, answer.status))?)
            }
        };
        let next = match &below_base {
            None => None,
            Some(below_base) => Some(paging::url(&self.place.fhir_base, below_base)?),
        };
        let rows: Vec<&Envelope<'_>> = bundle
            .entries
            .iter()
            .filter(|entry| !is_remark(entry) && is_row(entry, admitted))
            .map(|entry| &entry.resource)
            .collect();
        let way = trail.follow(&Met {
            rows: &rows,
            total: believed_total(bundle, admitted),
            here: admitted.url.as_str(),
            next: next.as_ref().map(sallyport_egress::Url::as_str),
            most: self.pages.most(),
        });
        let page = |(trail, below_base)| Page { resource_type, trail, below_base };
        Ok(Followed { is_new: way.is_new, next: way.next.zip(below_base).map(page), partial: way.partial })
    }
}

/// What follows from one page of a search.
pub(super) struct Followed {
    /// For each row whether it is new.
    pub(super) is_new: Vec<bool>,
    /// The way on.
    pub(super) next: Option<Page>,
    /// Why the answer is not everything.
    pub(super) partial: Vec<Code>,
}

/// Whether an entry is about the search and no result of it.
pub(super) fn is_remark(entry: &Entry<'_>) -> bool {
    entry.mode == Mode::Outcome || entry.resource.resource_type == Some(ResourceType::OperationOutcome)
}

/// Whether an entry is one of the rows that a search counts. Products that state no mode mean matches.
pub(super) fn is_row(entry: &Entry<'_>, admitted: &Admitted) -> bool {
    entry.mode != Mode::Include && entry.resource.resource_type == admitted.resource_type
}

/// `Bundle.total`, where this product counts what it says it counts.
pub(super) fn believed_total(bundle: &Bundle<'_>, admitted: &Admitted) -> Option<u64> {
    bundle.total.filter(|_| *admitted.profile.paging.total == Total::Exact)
}

/// Whether an outcome among the entries says that something is missing.
pub(super) fn gap(remark: &Envelope<'_>, errors: &Errors) -> Option<Code> {
    let remarks = outcome::remarks(remark.text);
    let says = |codes: &[Text]| remarks.codes.iter().any(|code| codes.iter().any(|known| known == code));
    let is_empty_result = says(&errors.nothing_codes);
    (says(&errors.partial_codes) || (remarks.is_gap && !is_empty_result))
        .then_some(Code::PartialWithheldByEhr)
}

pub(super) fn distinct(codes: Vec<Code>) -> Vec<Code> {
    let mut distinct = Vec::with_capacity(codes.len().min(8));
    for code in codes {
        if !distinct.contains(&code) {
            distinct.push(code);
        }
    }
    distinct
}
