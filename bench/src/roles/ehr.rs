//! An EHR that gives one fixed answer, as cheaply as it can: what it costs is the same for every target and not counted.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Serving, collector};
use crate::{load::find, sessions::PATIENT};

/// How many problems the answer holds: about 5 KB, a usual page of a chart.
const PROBLEMS: usize = 7;

/// Serves until it is killed.
///
/// # Errors
/// When no port can be had.
pub(crate) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let spans = collector::start().await?;
    let body = searchset();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json;charset=utf-8\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer: &'static [u8] = answer.into_bytes().leak();
    Serving { address, beside: Some(spans) }.announce()?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(stream, answer));
    }
}

async fn connection(mut stream: TcpStream, answer: &'static [u8]) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 * 1_024);
    loop {
        while find(&buffer, b"\r\n\r\n").is_none() {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let is_authorized = find(&buffer, b"earer ").is_some();
        buffer.clear();
        let refused = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(if is_authorized { answer } else { refused }).await?;
    }
}

/// A searchset of problems such as EHRs send it.
fn searchset() -> String {
    let entries: Vec<String> = (0..PROBLEMS).map(problem).collect();
    format!(
        r#"{{"resourceType":"Bundle","id":"b0d1","type":"searchset","total":{PROBLEMS},"link":[{{"relation":"self","url":"https://ehr.example/fhir/Condition?patient={PATIENT}"}}],"entry":[{}]}}"#,
        entries.join(",")
    )
}

fn problem(number: usize) -> String {
    format!(
        r#"{{"fullUrl":"https://ehr.example/fhir/Condition/c{number}","search":{{"mode":"match"}},"resource":{{"resourceType":"Condition","id":"c{number}","meta":{{"versionId":"1","lastUpdated":"2026-02-03T04:05:06.000Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-condition-problems-health-concerns"]}},"clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}}]}},"verificationStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed"}}]}},"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"problem-list-item"}}]}}],"code":{{"coding":[{{"system":"http://snomed.info/sct","code":"{number}44054006","display":"Synthetic problem {number}"}}],"text":"Synthetic problem {number}"}},"subject":{{"reference":"Patient/{PATIENT}"}},"encounter":{{"reference":"Encounter/e{number}"}},"onsetDateTime":"2021-05-0{number}T10:00:00Z"}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_a_page_of_about_five_kilobytes() {
        let text = searchset();
        assert!((5_000..7_000).contains(&text.len()), "{}", text.len());
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}
