//! The EHR's own ids of the requests, from the audit log: what its support looks for in its own.

use std::{collections::HashMap, time::Duration};

use sallyport_model::{LaunchId, Micros, ServiceName};
use sallyport_proto::{
    audit::v1::{Phase, QueryRequest, Record, audit_client::AuditClient},
    convert,
};

use super::report::Report;
use crate::{cli::CertifyArgs, operate::refusal, operator};

/// Records come by a queue; so often it is asked whether they are there.
const LOOKS: usize = 50;
const BETWEEN: Duration = Duration::from_millis(100);

/// Adds what the log knows of each exchange.
pub(super) async fn with_the_log(
    args: &CertifyArgs,
    (launch, started): (Option<LaunchId>, Micros),
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut audit = AuditClient::new(operator::reach(&args.asker.place, ServiceName::Audit).await?);
    for look in 1..=LOOKS {
        let question = QueryRequest {
            tenant: args.tenant.clone(),
            launch_id: launch.map(|launch| convert::id_bytes(launch.uuid())).unwrap_or_default(),
            from: started,
            limit: 1_000,
            operator: std::env::var("USER").unwrap_or_else(|_unset| "operator".to_owned()),
            reason: args.asker.reason.clone(),
            ..QueryRequest::default()
        };
        let records = audit.query(question).await.map_err(|status| refusal(&status))?.into_inner().records;
        let known = by_request(&records);
        let exchanges = || report.asked.iter().flat_map(|asked| &asked.exchanges);
        if look < LOOKS && !exchanges().all(|exchange| known.contains_key(&exchange.request_id)) {
            tokio::time::sleep(BETWEEN).await;
            continue;
        }
        for exchange in report.asked.iter_mut().flat_map(|asked| &mut asked.exchanges) {
            if let Some(record) = known.get(&exchange.request_id) {
                exchange.ehr_request_id = Some(record.vendor_request_id.clone()).filter(|id| !id.is_empty());
                exchange.ehr_status = Some(record.upstream_status).filter(|status| *status != 0);
            }
        }
        return Ok(());
    }
    Ok(())
}

/// What ended, by our id of the request.
fn by_request(records: &[Record]) -> HashMap<String, &Record> {
    let ended = records.iter().filter(|record| record.phase() != Phase::Intent);
    ended
        .filter_map(|record| {
            let id = convert::request_id(&record.request_id).ok()?;
            Some((id.to_string(), record))
        })
        .collect()
}
