//! `sallyport probe`: a look at an endpoint, told to people. Three calls to the EHR without a token; what changed since the
//! last look, and what it means for features.

use std::process::ExitCode;

use anyhow::Context;
use sallyport_model::{Clock, Code, ServiceName, SystemClock};
use sallyport_proto::gateway::v1::{
    CapabilityRequest, CapabilityResponse, Finding, ProbeRequest, ProbeResponse, Unread,
    fhir_gateway_client::FhirGatewayClient,
};
use serde_json::{Value, json};

use crate::{cli::ProbeArgs, operate::refusal, operator};

/// A feature misses something.
const EXIT_MISSES: u8 = 3;

const DAY: i64 = 86_400_000_000;

/// `sallyport probe`.
///
/// # Errors
/// When no instance answers, or it refuses.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(args: ProbeArgs) -> anyhow::Result<ExitCode> {
    let mut gateway = FhirGatewayClient::new(operator::reach(&args.place, ServiceName::FhirGateway).await?);
    let (tenant, endpoint) = (args.tenant.clone(), args.endpoint.clone());
    let probed = if args.last {
        let since = SystemClock.now() - args.days.saturating_mul(DAY);
        let known = gateway.capability(CapabilityRequest { tenant, endpoint, since }).await;
        let known = known.map_err(|status| refusal(&status))?.into_inner();
        ProbeResponse { is_first: known.probed_at == 0, capability: Some(known), unread: Vec::new() }
    } else {
        let reason = args.reason.clone().unwrap_or_default();
        let probed = gateway.probe(ProbeRequest { tenant, endpoint, reason }).await;
        probed.map_err(|status| refusal(&status))?.into_inner()
    };
    let known = probed.capability.context("the gateway told nothing")?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&document(&args, &known, &probed.unread)?)?),
        false => print!("{}", story(&args, &known, &probed.unread, probed.is_first, args.last)),
    }
    let misses = known.findings.iter().any(|finding| matches!(finding.class.as_str(), "breaking" | "loses"));
    Ok(if misses { ExitCode::from(EXIT_MISSES) } else { ExitCode::SUCCESS })
}

fn document(args: &ProbeArgs, known: &CapabilityResponse, unread: &[Unread]) -> anyhow::Result<Value> {
    let findings = known.findings.iter().map(|finding| {
        json!({
            "area": finding.area, "subject": finding.subject, "what": finding.what, "class": finding.class,
            "features": finding.features, "before": finding.before, "after": finding.after,
            "found_at": instant(finding.found_at), "is_standing": finding.is_standing,
        })
    });
    let seen: Value = match known.snapshot_json.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text)?,
    };
    Ok(json!({
        "tenant": args.tenant,
        "endpoint": args.endpoint,
        "probed_at": instant(known.probed_at),
        "unread": unread.iter().map(|one| json!({ "area": one.area, "code": one.code })).collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "seen": seen,
    }))
}

fn instant(micros: i64) -> Option<String> {
    let at = jiff::Timestamp::from_microsecond(micros).ok().filter(|_| micros != 0)?;
    Some(at.to_string())
}

fn story(
    args: &ProbeArgs,
    known: &CapabilityResponse,
    unread: &[Unread],
    is_first: bool,
    is_last: bool,
) -> String {
    let mut out = format!("{}/{}", args.tenant, args.endpoint);
    match instant(known.probed_at) {
        Some(at) => out.push_str(&format!(", looked at {at}\n")),
        None => {
            out.push_str(": nobody has looked yet; run this without --last\n");
            return out;
        }
    }
    for (area, facts) in areas(&known.snapshot_json) {
        out.push_str(&format!("  {area:<10} {}\n", summary(&area, &facts)));
    }
    for one in unread {
        let words = Code::parse(&one.code).map_or("", Code::sentence);
        out.push_str(&format!("  {:<10} could not be read now: {words} ({})\n", one.area, one.code));
    }
    if is_first && !is_last {
        out.push_str("The first look: from now on changes are told.\n");
    }
    if known.findings.is_empty() {
        out.push_str("No findings.\n");
    }
    for finding in &known.findings {
        out.push_str(&line(finding));
    }
    out
}

/// Areas of a snapshot with their facts.
fn areas(snapshot: &str) -> Vec<(String, serde_json::Map<String, Value>)> {
    let Ok(Value::Object(areas)) = serde_json::from_str(snapshot) else { return Vec::new() };
    let facts = areas.into_iter().filter_map(|(area, facts)| match facts {
        Value::Object(facts) => Some((area, facts)),
        _ => None,
    });
    facts.collect()
}

fn summary(area: &str, facts: &serde_json::Map<String, Value>) -> String {
    let value = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or("unknown").to_owned();
    let count = |prefix: &str| facts.keys().filter(|name| name.starts_with(prefix)).count();
    match area {
        "smart" => format!(
            "token endpoint at {}; {} scopes, {} capabilities listed",
            value("token_endpoint"),
            count("scope "),
            count("capability ")
        ),
        "statement" => {
            let searchable = facts.keys().filter(|name| name.ends_with(" search-type")).count();
            format!(
                "FHIR {}, {}; {searchable} types can be searched",
                value("fhirVersion"),
                value("software")
            )
        }
        "keys" => format!("{} keys", count("key ")),
        "shapes" => {
            let types: Vec<String> = facts
                .iter()
                .filter(|(name, _)| !name.contains(' '))
                .map(|(name, seen)| format!("{name} {}", seen.as_str().unwrap_or_default()))
                .collect();
            format!("sampled {}", types.join(", "))
        }
        _ => {
            let refused = facts.values().filter(|state| *state == "refused").count();
            format!("{} kinds of call seen, {refused} of them always refused", facts.len())
        }
    }
}

fn line(finding: &Finding) -> String {
    let Finding { class, what, area, subject, before, after, features, is_standing, .. } = finding;
    let values = match (before.as_str(), after.as_str()) {
        ("", "") => String::new(),
        (before, "") => format!(" (was {before})"),
        ("", after) => format!(" (is {after})"),
        (before, after) => format!(" ({before} -> {after})"),
    };
    let touches = if features.is_empty() { "no feature".to_owned() } else { features.join(", ") };
    let lasts = if *is_standing { ", not put right yet" } else { "" };
    format!("{class:<9} {what:<9} {area} {subject}{values}: touches {touches}{lasts}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ProbeArgs {
        ProbeArgs {
            endpoint: "main".to_owned(),
            tenant: "general".to_owned(),
            reason: None,
            last: false,
            days: 30,
            json: false,
            place: crate::cli::Where { config: None, data_dir: None },
        }
    }

    #[test]
    fn a_look_is_told_with_what_changed_and_whom_it_touches() {
        let finding = Finding {
            area: "statement".to_owned(),
            subject: "Condition search-type".to_owned(),
            what: "removed".to_owned(),
            class: "breaking".to_owned(),
            features: vec!["patient-summary".to_owned()],
            ..Finding::default()
        };
        let known = CapabilityResponse {
            probed_at: 1_760_000_000_000_000,
            snapshot_json:
                r#"{"statement":{"fhirVersion":"4.0.1","software":"EHR 9","Goal search-type":""}}"#.to_owned(),
            findings: vec![finding],
        };
        let unread = [Unread { area: "keys".to_owned(), code: "ehr.timeout".to_owned() }];
        let text = story(&args(), &known, &unread, false, false);
        let expected = "general/main, looked at 2025-10-09T08:53:20Z\n  \
            statement  FHIR 4.0.1, EHR 9; 1 types can be searched\n  \
            keys       could not be read now: The EHR did not answer in time. (ehr.timeout)\n\
            breaking  removed   statement Condition search-type: touches patient-summary\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_known_is_told_as_such() {
        let text = story(&args(), &CapabilityResponse::default(), &[], true, true);
        assert!(text.contains("nobody has looked yet"), "{text}");
        let document = document(&args(), &CapabilityResponse::default(), &[]).unwrap();
        assert_eq!((&document["seen"], &document["probed_at"]), (&Value::Null, &Value::Null));
    }
}
