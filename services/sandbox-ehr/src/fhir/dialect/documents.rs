//! Where a product keeps the bytes of documents.

use axum::body::Body;
use axum::response::Response;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, header::CONTENT_TYPE};
use serde_json::{Map, Value, json};

use super::super::{Context, access::Access, outcome::Failure, scope::Interaction};
use super::ids::{id_in, id_out};
use crate::{data::Records, profile::Attachments};

/// The path segment of documents that answer with their bytes alone.
pub(crate) const DOCUMENT: &str = "document";

/// Writes the attachments of a DocumentReference.
pub(super) fn write(context: &Context, kind: &str, id: &str, members: &mut Map<String, Value>) {
    if kind != "DocumentReference" {
        return;
    }
    let contents = members.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten();
    for attachment in contents.filter_map(|content| content.get_mut("attachment")?.as_object_mut()) {
        match context.profile.data.attachments {
            Attachments::AsStored => {}
            Attachments::AbsoluteBinary => {
                let url = attachment.get("url").and_then(Value::as_str).map(str::to_owned);
                if let Some(relative) = url.filter(|url| !url.contains("://")) {
                    attachment.insert("url".to_owned(), json!(format!("{}/{relative}", context.base)));
                }
            }
            Attachments::RawDocument => {
                attachment.remove("data");
                let id = id_out(context.profile, "DocumentReference", id);
                attachment.insert("url".to_owned(), json!(format!("{}/{DOCUMENT}/{id}", context.base)));
            }
            Attachments::InlineOrNothing => inline_or_nothing(attachment),
        }
    }
}

fn inline_or_nothing(attachment: &mut Map<String, Value>) {
    attachment.remove("size");
    let inline = attachment.get("data").and_then(Value::as_str).and_then(|data| STANDARD.decode(data).ok());
    if let Some(bytes) = inline {
        let page = format!("<html><body><pre>{}</pre></body></html>", String::from_utf8_lossy(&bytes));
        attachment.insert("contentType".to_owned(), json!("text/html"));
        attachment.insert("data".to_owned(), json!(STANDARD.encode(page)));
    } else {
        attachment.remove("url");
        attachment.insert("contentType".to_owned(), json!("application/octet-stream"));
    }
}

/// `GET [base]/document/[id]`: the bytes of a document, and behind them the canary of its patient.
pub(crate) fn raw(context: &Context, written: &str) -> Result<Response, Failure> {
    let kind = "DocumentReference";
    if context.profile.data.attachments != Attachments::RawDocument {
        return Err(Failure::NO_SUCH_ADDRESS);
    }
    let access =
        Access::of(&context.token, &context.base, kind, Interaction::Read).ok_or(Failure::NO_SCOPE)?;
    let id = id_in(context.profile, kind, written).ok_or(Failure::UNKNOWN_RESOURCE)?;
    let record = context.records.record(kind, &id).ok_or(Failure::UNKNOWN_RESOURCE)?;
    let body = record.current().ok_or(Failure::UNKNOWN_RESOURCE)?;
    if !access.allows(record, body) {
        return Err(Failure::OTHER_PATIENT);
    }
    let mut bytes = bytes(&context.records, body).ok_or(Failure::UNPROCESSABLE)?;
    for patient in record.patients() {
        bytes.extend_from_slice(format!("\n[canary-{patient}]\n").as_bytes());
    }
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

fn bytes(records: &Records, body: &Value) -> Option<Vec<u8>> {
    let attachment = body.pointer("/content/0/attachment")?;
    let data = match attachment.get("data").and_then(Value::as_str) {
        Some(inline) => inline,
        None => {
            let (kind, id) = crate::data::target(attachment.get("url")?.as_str()?)?;
            records.read(kind, id)?.get("data")?.as_str()?
        }
    };
    STANDARD.decode(data).ok()
}
