//! `sallyport audit`: questions to the log, answered record by record.

use std::process::ExitCode;

use sallyport_model::{Clock, LaunchId, ServiceName, SystemClock};
use sallyport_proto::{
    audit::v1::{QueryRequest, Record, audit_client::AuditClient},
    convert,
};

use super::{asker, balp, csv};
use crate::{
    cli::{AuditQueryArgs, FormatArg},
    operate::refusal,
    operator,
};

/// How many records one page holds at most.
const PAGE: i32 = 1_000;

/// Asks and prints.
///
/// # Errors
/// When no instance answers, or the question is refused.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub(super) async fn run(args: AuditQueryArgs) -> anyhow::Result<ExitCode> {
    let transport = operator::reach(&args.place, ServiceName::Audit).await?;
    let launch = match &args.launch {
        Some(handle) => convert::id_bytes(LaunchId::parse(handle)?.uuid()),
        None => Vec::new(),
    };
    let now = SystemClock.now();
    let mut request = QueryRequest {
        tenant: args.tenant.unwrap_or_default(),
        patient: args.patient.unwrap_or_default(),
        launch_id: launch,
        trace_id: args.trace.unwrap_or_default(),
        from: args.minutes.map_or(0, |minutes| now - minutes.saturating_mul(60_000_000)),
        until: args.minutes.map_or(0, |_| now),
        limit: PAGE,
        operator: asker(),
        reason: args.reason.unwrap_or_default(),
        ..QueryRequest::default()
    };
    if args.format == FormatArg::Csv {
        println!("{}", csv::HEADER);
    }
    loop {
        let answer = AuditClient::new(transport.clone()).query(request.clone()).await;
        let records = answer.map_err(|status| refusal(&status))?.into_inner().records;
        for record in &records {
            match args.format {
                FormatArg::Lines => println!("{}", line(record)),
                FormatArg::Csv => println!("{}", csv::line(record)),
                FormatArg::Fhir => balp::events(record).iter().for_each(|event| println!("{event}")),
            }
        }
        if args.format == FormatArg::Lines {
            println!("{} records", records.len());
            return Ok(ExitCode::SUCCESS);
        }
        let Some(last) = records.last() else { return Ok(ExitCode::SUCCESS) };
        // What this look itself adds to the log lies behind the look's own start.
        request.until = if request.until == 0 { now } else { request.until };
        request.after_record.clone_from(&last.record_id);
        request.after_record.push(u8::try_from(last.phase)?);
    }
}

fn line(record: &Record) -> String {
    let at = jiff::Timestamp::from_microsecond(record.recorded_at).map(|t| t.to_string()).unwrap_or_default();
    format!(
        "{at}  {:<16} {:<8} {:<8} {:<12} {:<22} {:>3} {:<24} patients {} trace {}",
        record.kind().as_str_name().to_lowercase(),
        record.phase().as_str_name().to_lowercase(),
        record.outcome().as_str_name().to_lowercase(),
        record.interaction,
        record.resource_types.join(","),
        record.released,
        record.code,
        record.patients.len(),
        record.trace_id,
    )
}
