//! Reviews: that somebody has looked through records, and what they found. Kept beside the log, and said in it.

use sallyport_model::{TenantId, planted};
use sallyport_proto::{
    audit::v1::{
        Kind, ListReviewsRequest, ListReviewsResponse, Outcome, Phase, Record, Review, SaveReviewRequest,
    },
    convert,
};

use super::{Domain, random_id};
use crate::Error;

/// The longest filter, as an address has it.
const FILTER_MAX: usize = 1_000;

/// How long a finding is.
const FINDING: std::ops::RangeInclusive<usize> = 3..=2_000;

/// Keeps one; recorded first.
pub(crate) async fn save(
    domain: &Domain,
    request: &SaveReviewRequest,
    reviewer: &str,
) -> Result<Review, Error> {
    let tenant = TenantId::parse(&request.tenant).map_err(|_alphabet| Error::Invalid("tenant"))?;
    let finding = request.finding.trim();
    if !FINDING.contains(&finding.chars().count()) {
        return Err(Error::Invalid("finding"));
    }
    if request.filter.chars().count() > FILTER_MAX || names_a_patient(&request.filter) {
        return Err(Error::Invalid("filter"));
    }
    if request.from < 0 || request.until < request.from || request.records < 0 {
        return Err(Error::Invalid("from, until and records"));
    }
    let review = Review {
        review_id: convert::id_bytes(random_id()),
        reviewer: reviewer.to_owned(),
        reviewed_at: domain.clock.now(),
        filter: request.filter.clone(),
        from: request.from,
        until: request.until,
        records: request.records,
        finding: finding.to_owned(),
    };
    domain.audit.event(record_of(&tenant, &review)).await?;
    domain.store.keep_review(tenant.as_str(), &review).await?;
    Ok(review)
}

/// A filter is kept in clear: it must not hold whom it was about.
fn names_a_patient(filter: &str) -> bool {
    let names = filter.split('&').filter_map(|pair| pair.split_once('='));
    names.into_iter().any(|(name, value)| name == "patient" && !value.is_empty())
        && !planted!("review-names-its-patient")
}

fn record_of(tenant: &TenantId, review: &Review) -> Record {
    Record {
        kind: Kind::AuditQuery.into(),
        phase: Phase::Event.into(),
        tenant: tenant.as_str().to_owned(),
        actor: Some(convert::operator_actor(&review.reviewer)),
        purpose: "HSYSADMIN".to_owned(),
        interaction: "review".to_owned(),
        resource_types: vec!["AuditEvent".to_owned()],
        outcome: Outcome::Success.into(),
        released: review.records,
        detail: format!("{} records looked through", review.records),
        ..Record::default()
    }
}

/// The reviews of a tenant, the newest first.
pub(crate) async fn list(
    domain: &Domain,
    request: &ListReviewsRequest,
) -> Result<ListReviewsResponse, Error> {
    let tenant = TenantId::parse(&request.tenant).map_err(|_alphabet| Error::Invalid("tenant"))?;
    Ok(ListReviewsResponse { reviews: domain.store.reviews(tenant.as_str()).await? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_by_patient_is_not_kept() {
        assert!(names_a_patient("from=1&patient=abc"));
        assert!(!names_a_patient("from=1&patient=&endpoint=main") && !names_a_patient(""));
    }
}
