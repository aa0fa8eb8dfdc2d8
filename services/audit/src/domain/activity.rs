//! What happened in a period, by endpoint and resource type, and how it ended: figures alone. What tells "it is them" from
//! "it is us" is the stable code, where there is one.

use std::collections::BTreeMap;

use sallyport_model::{Code, Micros, TenantId, code::Kind as CodeKind};
use sallyport_proto::audit::v1::{ActivityRequest, ActivityResponse, Kind, Outcome, activity_response::Cell};

use super::Domain;
use crate::{Error, store::ActivityRow};

/// The longest period.
const LONGEST: Micros = 31 * 86_400 * 1_000_000;

/// Counts a tenant's ended calls and events.
pub(crate) async fn activity(domain: &Domain, request: &ActivityRequest) -> Result<ActivityResponse, Error> {
    let tenant = TenantId::parse(&request.tenant).map_err(|_alphabet| Error::Invalid("tenant"))?;
    if request.from < 0 || request.until <= request.from || request.until - request.from > LONGEST {
        return Err(Error::Invalid("from and until"));
    }
    let rows = domain.store.activity(tenant.as_str(), request.from, request.until).await?;
    Ok(ActivityResponse { cells: cells(rows) })
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeded,
    Refused,
    FailedThere,
    FailedHere,
}

fn end(outcome: i32, code: &str, upstream_status: i32) -> End {
    let kind = Code::parse(code).map(Code::kind);
    match (Outcome::try_from(outcome), kind) {
        (Ok(Outcome::Success), _) => End::Succeeded,
        (_, Some(CodeKind::Upstream | CodeKind::Timeout)) => End::FailedThere,
        (Ok(Outcome::Refused), _) => End::Refused,
        // Without a code of that kind, the EHR's own answer says whose fault it was.
        _ if upstream_status >= 500 || upstream_status == 429 => End::FailedThere,
        _ => End::FailedHere,
    }
}

fn cells(rows: Vec<ActivityRow>) -> Vec<Cell> {
    let mut found: BTreeMap<(String, i32, String), Cell> = BTreeMap::new();
    for (endpoint, kind, types, outcome, code, upstream_status, count) in rows {
        let end = end(outcome, &code, upstream_status);
        let types = if types.is_empty() { vec![""] } else { types.split(' ').collect() };
        for resource_type in types {
            let place = (endpoint.clone(), kind, resource_type.to_owned());
            let cell = found.entry(place).or_insert_with(|| Cell {
                endpoint: endpoint.clone(),
                kind: Kind::try_from(kind).unwrap_or_default().into(),
                resource_type: resource_type.to_owned(),
                ..Cell::default()
            });
            *match end {
                End::Succeeded => &mut cell.succeeded,
                End::Refused => &mut cell.refused,
                End::FailedThere => &mut cell.failed_there,
                End::FailedHere => &mut cell.failed_here,
            } += count;
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_fault_it_was_is_told_by_the_code_then_by_the_ehrs_answer() {
        let (success, refused, failed) =
            (Outcome::Success.into(), Outcome::Refused.into(), Outcome::Failed.into());
        assert_eq!(end(success, "", 200), End::Succeeded);
        assert_eq!(end(refused, Code::ScopeRequiredMissing.as_str(), 0), End::Refused);
        assert_eq!(end(failed, Code::UpstreamInvalid.as_str(), 200), End::FailedThere);
        assert_eq!(end(failed, Code::DependencyDown.as_str(), 0), End::FailedHere);
        assert_eq!(end(failed, "", 503), End::FailedThere);
        assert_eq!(end(failed, "", 0), End::FailedHere);
        assert_eq!(end(Outcome::Pending.into(), "", 0), End::FailedHere, "an end that says nothing is ours");
    }

    #[test]
    fn a_call_over_two_types_counts_for_each() {
        let row = |types: &str, count| {
            ("main".to_owned(), 7, types.to_owned(), Outcome::Success.into(), String::new(), 200, count)
        };
        let cells = cells(vec![row("Patient Condition", 3), row("Condition", 4), row("", 1)]);
        let short: Vec<_> = cells.iter().map(|c| (c.resource_type.as_str(), c.succeeded)).collect();
        assert_eq!(short, [("", 1), ("Condition", 7), ("Patient", 3)]);
    }
}
