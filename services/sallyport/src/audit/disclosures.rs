//! `sallyport audit disclosures`: to whom a patient's data was disclosed, as an accounting and as the patient's own report.

use std::{collections::BTreeSet, io::Write, process::ExitCode};

use anyhow::Context;
use sallyport_model::{ServiceName, moment};
use sallyport_proto::{
    audit::v1::{Disclosure, DisclosuresRequest, audit_client::AuditClient, disclosure::What},
    types::v1::actor,
};
use sallyport_rpc::Transport;
use serde_json::json;

use super::{asker, plain};
use crate::{
    cli::{DisclosuresArgs, DisclosuresFormat},
    operate::refusal,
    operator,
};

/// How many one page holds at most.
const PAGE: i32 = 1_000;

/// What the log answers about an id that it does not know.
const UNKNOWN: &str = "The log holds nobody under that id: nothing about such a patient was recorded, or they were erased. \
                       It cannot tell one from the other.";

/// The first line of CSV.
const HEADER: &str = "at,what,user_issuer,user,registration,purpose,feature,job,interaction,resource_types,resources,patients,\
                      security_labels,endpoint,trace_id,record";

pub(super) async fn run(args: &DisclosuresArgs) -> anyhow::Result<ExitCode> {
    let transport = operator::reach(&args.place, ServiceName::Audit).await?;
    let out = std::io::stdout();
    disclosures(&transport, args, &mut out.lock()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the accounting, page by page; nothing but the present page is held. Gives how many disclosures it tells.
///
/// # Errors
/// When the instance does not answer or refuses, or the output cannot be written.
pub async fn disclosures(
    transport: &Transport,
    args: &DisclosuresArgs,
    out: &mut impl Write,
) -> anyhow::Result<u64> {
    let mut request = DisclosuresRequest {
        tenant: args.tenant.clone(),
        patient: args.patient.clone(),
        from: args.since.map(|day| start_of(day, 0)).transpose()?.unwrap_or(0),
        until: args.until.map(|day| start_of(day, 1)).transpose()?.unwrap_or(0),
        limit: PAGE,
        after: Vec::new(),
        operator: asker(),
        reason: args.reason.clone(),
    };
    let mut count = 0;
    let mut is_first = true;
    loop {
        let answer = AuditClient::new(transport.clone()).disclosures(request.clone()).await;
        let page = answer.map_err(|status| refusal(&status))?.into_inner();
        (request.from, request.until) = (page.from, page.until);
        if is_first {
            head(out, args, &request, page.is_known)?;
            is_first = false;
        }
        for one in &page.disclosures {
            writeln!(out, "{}", line(one, args))?;
            count += 1;
        }
        if page.next.is_empty() {
            tail(out, args, count)?;
            return Ok(count);
        }
        request.after = page.next;
    }
}

/// Midnight in UTC, so many days after the beginning of that day.
fn start_of(day: jiff::civil::Date, days: i64) -> anyhow::Result<i64> {
    let day = day.checked_add(jiff::Span::new().days(days)).context("that day is too late")?;
    Ok(jiff::tz::Offset::UTC.to_timestamp(day.at(0, 0, 0, 0))?.as_microsecond())
}

fn head(
    out: &mut impl Write,
    args: &DisclosuresArgs,
    request: &DisclosuresRequest,
    is_known: bool,
) -> anyhow::Result<()> {
    let (from, until) = (moment(request.from), moment(request.until));
    if args.for_patient {
        writeln!(
            out,
            "Who has seen your health record, from {} to {} (times are UTC)\n",
            day(&from),
            day(&until)
        )?;
        if !is_known {
            writeln!(out, "We have no record of anybody having looked at it.\n")?;
        }
        return Ok(());
    }
    match args.format {
        DisclosuresFormat::Csv => writeln!(out, "{HEADER}")?,
        DisclosuresFormat::Json => {
            let about = json!({"tenant": args.tenant, "patient": args.patient, "from": from, "until": until, "is_known": is_known});
            writeln!(out, "{}", plain::json(&about))?;
        }
        DisclosuresFormat::Text => {
            let (tenant, patient) = (plain::text(&args.tenant), plain::text(&args.patient));
            writeln!(out, "Disclosures of patient {patient} of {tenant}, from {from} until {until}")?;
            if !is_known {
                writeln!(out, "{UNKNOWN}")?;
            }
        }
    }
    Ok(())
}

fn tail(out: &mut impl Write, args: &DisclosuresArgs, count: u64) -> anyhow::Result<()> {
    match args.format {
        _ if args.for_patient => {
            writeln!(
                out,
                "\n{count} entries. People are named as their organisation's sign-in knows them. If an entry \
                           surprises you, ask the organisation's privacy office; you may ask for this list again at any time."
            )?;
        }
        DisclosuresFormat::Text => writeln!(out, "{count} disclosures")?,
        DisclosuresFormat::Json => writeln!(out, "{}", json!({ "disclosures": count }))?,
        DisclosuresFormat::Csv => {}
    }
    Ok(())
}

fn line(one: &Disclosure, args: &DisclosuresArgs) -> String {
    if args.for_patient {
        return sentence(one);
    }
    match args.format {
        DisclosuresFormat::Text => text(one),
        DisclosuresFormat::Csv => csv_line(one),
        DisclosuresFormat::Json => plain::json(&object(one)),
    }
}

fn text(one: &Disclosure) -> String {
    let (issuer, who) = whom(one);
    let at_issuer = if issuer.is_empty() { String::new() } else { format!(" ({issuer})") };
    let line = format!(
        "{}  {:<11} to {who}{at_issuer}  for {}  {} {} x{}",
        moment(one.at),
        word(one.what()),
        one.purpose,
        one.interaction,
        one.resource_types.join(","),
        one.released,
    );
    let job = if one.job.is_empty() { String::new() } else { format!("  by the job {}", one.job) };
    plain::text(&format!("{line}{job}"))
}

fn csv_line(one: &Disclosure) -> String {
    let (issuer, who) = whom(one);
    let at = moment(one.at);
    let cells = [
        at.as_str(),
        word(one.what()),
        issuer,
        who,
        &one.registration,
        &one.purpose,
        &one.feature,
        &one.job,
        &one.interaction,
        &one.resource_types.join(" "),
        &one.released.to_string(),
        &one.patients.to_string(),
        &one.security_labels.join(" "),
        &one.endpoint,
        &one.trace_id,
        &record(one),
    ];
    cells.map(sallyport_model::csv::cell).join(",")
}

fn object(one: &Disclosure) -> serde_json::Value {
    let (issuer, who) = whom(one);
    json!({
        "at": moment(one.at),
        "what": word(one.what()),
        "user_issuer": issuer,
        "user": who,
        "registration": one.registration,
        "purpose": one.purpose,
        "feature": one.feature,
        "job": one.job,
        "interaction": one.interaction,
        "resource_types": one.resource_types,
        "resources": one.released,
        "patients": one.patients,
        "security_labels": one.security_labels,
        "endpoint": one.endpoint,
        "trace_id": one.trace_id,
        "record": record(one),
    })
}

/// A line of the patient's own report.
fn sentence(one: &Disclosure) -> String {
    let at = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_microsecond(one.at).unwrap_or_default());
    let (_, who) = whom(one);
    let who = match one.job.as_str() {
        "" => format!("the person who signs in as {who}"),
        job => format!("the automatic task \u{201c}{job}\u{201d}"),
    };
    let kinds: BTreeSet<_> = one.resource_types.iter().map(|name| plain::kind(name)).collect();
    let kinds = if kinds.is_empty() {
        "your record".to_owned()
    } else {
        kinds.into_iter().collect::<Vec<_>>().join(", ")
    };
    let did = match one.what() {
        What::Written => "added to or changed",
        What::MaybeShown => "may have seen (whether the answer arrived was not recorded)",
        What::Shown | What::Unspecified => "was shown",
    };
    let line = format!(
        "{}  {who} {did}: {kinds}. For {}.",
        at.strftime("%-d %B %Y, %H:%M"),
        plain::purpose(&one.purpose)
    );
    plain::text(&line)
}

/// The issuer and name of whom it went to.
fn whom(one: &Disclosure) -> (&str, &str) {
    match one.actor.as_ref().and_then(|actor| actor.kind.as_ref()) {
        Some(actor::Kind::User(user)) => (&user.issuer, &user.subject),
        Some(actor::Kind::Service(name)) => ("", name),
        Some(actor::Kind::Anonymous(_)) | None => ("", "nobody known"),
    }
}

fn word(what: What) -> &'static str {
    match what {
        What::MaybeShown => "maybe_shown",
        What::Written => "written",
        What::Shown | What::Unspecified => "shown",
    }
}

fn record(one: &Disclosure) -> String {
    uuid::Uuid::from_slice(&one.record_id).map(|id| id.to_string()).unwrap_or_default()
}

/// The day of a moment.
fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use sallyport_proto::types::v1::{Actor, User};

    use super::*;

    fn hostile() -> Disclosure {
        let user = User { subject: "=HYPERLINK(\"http://x\")\u{1b}[2J".to_owned(), ..User::default() };
        Disclosure {
            at: 1_700_000_000_000_000,
            what: What::Shown.into(),
            actor: Some(Actor { kind: Some(actor::Kind::User(user)) }),
            purpose: "TREAT".to_owned(),
            interaction: "read".to_owned(),
            resource_types: vec!["Condition".to_owned(), "AllergyIntolerance".to_owned()],
            feature: "+cmd\u{9b}31m".to_owned(),
            record_id: vec![7; 16],
            ..Disclosure::default()
        }
    }

    #[test]
    fn no_line_commands_a_terminal_or_a_spreadsheet() {
        for told in
            [text(&hostile()), csv_line(&hostile()), plain::json(&object(&hostile())), sentence(&hostile())]
        {
            assert!(!told.chars().any(char::is_control), "{told:?}");
        }
        let csv = csv_line(&hostile());
        assert!(csv.contains("\"'=HYPERLINK") && csv.contains("\"'+cmd"), "{csv}");
        assert_eq!(csv_line(&Disclosure::default()).split(',').count(), HEADER.split(',').count());
    }

    #[test]
    fn a_patient_reads_words_and_no_codes() {
        let told = sentence(&Disclosure { actor: None, ..hostile() });
        assert_eq!(
            told,
            "14 November 2023, 22:13  the person who signs in as nobody known was shown: allergies, health problems and \
             diagnoses. For your treatment."
        );
    }

    #[test]
    fn the_last_day_belongs_to_the_period() {
        let day = jiff::civil::date(2025, 1, 31);
        assert_eq!(start_of(day, 1).unwrap() - start_of(day, 0).unwrap(), 86_400_000_000);
    }
}
