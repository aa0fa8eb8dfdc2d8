//! How many records per kind, phase, interaction, resource type and outcome: what the counters of `/metrics` must equal.

use std::collections::BTreeMap;

use sallyport_model::TenantId;
use sallyport_proto::audit::v1::{
    CountsRequest, CountsResponse, Kind, Outcome, Phase, counts_response::Count,
};

use super::Domain;
use crate::{Error, store::CountRow};

/// Counts a tenant's records; `until` 0 means up to now. A record of several resource types counts for each of them.
pub(crate) async fn counts(domain: &Domain, request: &CountsRequest) -> Result<CountsResponse, Error> {
    let tenant = TenantId::parse(&request.tenant).map_err(|_alphabet| Error::Invalid("tenant"))?;
    if request.from < 0 || request.until < 0 {
        return Err(Error::Invalid("from and until"));
    }
    let until = if request.until == 0 { i64::MAX } else { request.until };
    let rows = domain.store.counts(tenant.as_str(), request.from, until).await?;
    Ok(CountsResponse { counts: by_type(rows) })
}

fn by_type(rows: Vec<CountRow>) -> Vec<Count> {
    let mut sums = BTreeMap::new();
    for (kind, phase, interaction, types, outcome, count) in rows {
        let types = if types.is_empty() { vec![""] } else { types.split(' ').collect() };
        for resource_type in types {
            let name = (kind, phase, interaction.clone(), resource_type.to_owned(), outcome);
            *sums.entry(name).or_insert(0) += count;
        }
    }
    let name = |(kind, phase, interaction, resource_type, outcome), count| Count {
        kind: Kind::try_from(kind).unwrap_or_default().as_str_name().to_owned(),
        phase: Phase::try_from(phase).unwrap_or_default().as_str_name().to_owned(),
        interaction,
        resource_type,
        outcome: Outcome::try_from(outcome).unwrap_or_default().as_str_name().to_owned(),
        count,
    };
    sums.into_iter().map(|(key, count)| name(key, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_two_types_counts_for_both() {
        let row = |types: &str, count| (7, 2, "search-type".to_owned(), types.to_owned(), 2, count);
        let counts = by_type(vec![row("Patient Condition", 3), row("Condition", 4), row("", 1)]);
        let short: Vec<_> = counts.iter().map(|c| (c.resource_type.as_str(), c.count)).collect();
        assert_eq!(short, [("", 1), ("Condition", 7), ("Patient", 3)]);
        assert_eq!((counts[0].kind.as_str(), counts[0].phase.as_str()), ("FHIR_CALL", "OUTCOME"));
    }
}
