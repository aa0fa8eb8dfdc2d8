//! Records as CSV (RFC 4180) that no spreadsheet takes for formulas.

use sallyport_model::csv::cell;
use sallyport_proto::{audit::v1::Record, types::v1::actor};

/// The first line.
pub(super) const HEADER: &str = "recorded_at,kind,phase,outcome,service,tenant,endpoint,user_issuer,user,patients,purpose,\
    feature,policy_decision,interaction,resource_types,released,withheld,code,http_status,upstream_status,trace_id,detail";

/// One record's line.
pub(super) fn line(record: &Record) -> String {
    let at =
        jiff::Timestamp::from_microsecond(record.recorded_at).map(|at| at.to_string()).unwrap_or_default();
    let (issuer, user) = match record.actor.as_ref().and_then(|actor| actor.kind.as_ref()) {
        Some(actor::Kind::User(user)) => (user.issuer.as_str(), user.subject.as_str()),
        Some(actor::Kind::Service(name)) => ("", name.as_str()),
        Some(actor::Kind::Anonymous(_)) | None => ("", ""),
    };
    let cells = [
        at.as_str(),
        record.kind().as_str_name(),
        record.phase().as_str_name(),
        record.outcome().as_str_name(),
        &record.service,
        &record.tenant,
        &record.endpoint,
        issuer,
        user,
        &record.patients.join(" "),
        &record.purpose,
        &record.feature,
        &record.policy_decision,
        &record.interaction,
        &record.resource_types.join(" "),
        &record.released.to_string(),
        &record.withheld.to_string(),
        &record.code,
        &record.http_status.to_string(),
        &record.upstream_status.to_string(),
        &record.trace_id,
        &record.detail,
    ];
    cells.map(cell).join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_cell_for_each_heading() {
        let columns = HEADER.split(',').count();
        assert_eq!(line(&Record::default()).split(',').count(), columns);
        let record = Record { detail: "=HYPERLINK(\"http://x\")".to_owned(), ..Record::default() };
        assert!(line(&record).ends_with(",\"'=HYPERLINK(\"\"http://x\"\")\""));
    }
}
