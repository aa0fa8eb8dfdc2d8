//! An EHR that exports, as cheaply as it can: discovery, a token, one kick-off, one manifest, and files of lines that are made
//! while they are sent. What it costs is not counted.

use std::net::SocketAddr;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::Serving;
use crate::load::find;

/// Lines of a file: about 20 MB.
pub(crate) const LINES: usize = 18_000;

/// Lines that are written at a time.
const AT_ONCE: usize = 250;

/// Where the number of a line stands in it: so many digits, so that every line has the same length.
const NUMBER: &str = "000000000000";

/// What it has.
#[derive(clap::Args, Clone)]
pub(crate) struct BulkArgs {
    /// How many files the manifest lists.
    #[arg(long)]
    pub(crate) files: usize,
}

/// A line: an observation as EHRs export it.
pub(crate) fn line() -> String {
    let line = format!(
        r#"{{"resourceType":"Observation","id":"o{NUMBER}","meta":{{"versionId":"1","lastUpdated":"2026-02-03T04:05:06.000Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"]}},"identifier":[{{"system":"urn:oid:1.2.840.114350.1.13.0.1.7.2.798268","value":"o{NUMBER}"}}],"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"Laboratory"}}],"text":"Laboratory"}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"4548-4","display":"Hemoglobin A1c/Hemoglobin.total in Blood"}}],"text":"Hämoglobin A1c"}},"subject":{{"reference":"Patient/p1","display":"Synthetic, Patient"}},"encounter":{{"reference":"Encounter/e{NUMBER}"}},"effectiveDateTime":"2026-01-05T08:15:00-05:00","issued":"2026-01-05T12:01:44.000Z","performer":[{{"reference":"Organization/lab","display":"General Hospital laboratory"}}],"valueQuantity":{{"value":8.10,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}},"referenceRange":[{{"low":{{"value":4.0,"unit":"%"}},"high":{{"value":5.6,"unit":"%"}},"text":"4.0 - 5.6 %"}}]}}"#
    );
    format!("{line}\n")
}

/// The bytes of one file.
pub(crate) fn file_bytes() -> usize {
    line().len() * LINES
}

/// Serves until it is killed.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn run(args: BulkArgs) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Serving { address, beside: None }.announce()?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, address, args.files));
    }
}

async fn connection(mut stream: TcpStream, address: SocketAddr, files: usize) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16 * 1_024);
    loop {
        let head = loop {
            if let Some(end) = find(&buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(buffer.get(..head).unwrap_or_default()).into_owned();
        let announced = text.lines().filter_map(|line| line.split_once(':'));
        let body = announced.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let body: usize = body.filter_map(|(_, value)| value.trim().parse().ok()).next().unwrap_or(0);
        while buffer.len() < head + body {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        buffer.drain(..head + body);
        let mut words = text.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        answer(&mut stream, address, files, (method, path)).await?;
    }
}

async fn answer(
    stream: &mut TcpStream,
    address: SocketAddr,
    files: usize,
    (method, path): (&str, &str),
) -> anyhow::Result<()> {
    let base = format!("http://{address}");
    let path = path.split('?').next().unwrap_or_default();
    if let Some(number) = path.strip_prefix("/files/").and_then(|number| number.parse().ok()) {
        return file(stream, number).await;
    }
    let (status, beside, body) = match (method, path) {
        ("GET", "/fhir/.well-known/smart-configuration") => ("200 OK", String::new(), configuration(&base)),
        ("GET", "/fhir/metadata") => ("200 OK", String::new(), statement()),
        ("POST", "/token") => ("200 OK", String::new(), token()),
        (_, "/fhir/Group/all/$export") => {
            ("202 Accepted", format!("content-location: {base}/status\r\n"), json!({}))
        }
        ("GET", "/status") => ("200 OK", String::new(), manifest(&base, files)),
        ("DELETE", "/status") => ("202 Accepted", String::new(), json!({})),
        _ => ("404 Not Found", String::new(), json!({})),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{beside}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    Ok(())
}

async fn file(stream: &mut TcpStream, number: usize) -> anyhow::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+ndjson\r\ncontent-length: {}\r\n\r\n",
        file_bytes()
    );
    stream.write_all(head.as_bytes()).await?;
    let line = line();
    let places: Vec<usize> = line.match_indices(NUMBER).map(|(at, _)| at).collect();
    let mut lines = line.repeat(AT_ONCE).into_bytes();
    for from in (0..LINES).step_by(AT_ONCE) {
        for (offset, start) in (0..AT_ONCE).map(|n| (n, n * line.len())) {
            let digits = format!("{:012}", number * LINES + from + offset);
            for place in &places {
                let at = start + place;
                lines.get_mut(at..at + digits.len()).context("a place")?.copy_from_slice(digits.as_bytes());
            }
        }
        stream.write_all(&lines).await?;
    }
    Ok(())
}

fn configuration(base: &str) -> Value {
    json!({
        "issuer": base,
        "jwks_uri": format!("{base}/jwks"),
        "token_endpoint": format!("{base}/token"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES384", "RS384"],
        "scopes_supported": ["system/*.rs"],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    })
}

fn statement() -> Value {
    let types = ["Patient", "Group", "Observation"];
    let resources = types.map(|name| {
        let can = ["read", "search-type"].map(|code| json!({ "code": code }));
        json!({ "type": name, "interaction": can })
    });
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{ "mode": "server", "resource": resources }],
    })
}

fn token() -> Value {
    json!({
        "access_token": "of-the-bench",
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "system/Patient.rs system/Group.rs system/Observation.rs",
    })
}

fn manifest(base: &str, files: usize) -> Value {
    let output: Vec<Value> = (0..files)
        .map(|number| json!({ "type": "Observation", "url": format!("{base}/files/{number}"), "count": LINES }))
        .collect();
    json!({
        "transactionTime": "2026-02-03T04:05:06.000Z",
        "request": format!("{base}/fhir/Group/all/$export"),
        "requiresAccessToken": true,
        "output": output,
        "error": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_about_twenty_megabytes_of_json_lines() {
        let line = line();
        assert!(line.matches(NUMBER).count() == 3 && line.ends_with("}\n"));
        assert!(serde_json::from_str::<Value>(&line).is_ok());
        assert!((18_000_000..23_000_000).contains(&file_bytes()), "{}", file_bytes());
        assert_eq!(LINES % AT_ONCE, 0);
    }
}
