//! What an EHR says that it has: an id and a version, of this patient, under this endpoint.

use sallyport_egress::{Response, header};
use sallyport_fhir::{
    Envelope, Limits, Reference,
    compartment::{Verdict, verdict},
};
use sallyport_model::Code;

use super::{Approved, Request, Written, sealing::Outcome};
use crate::{Gateway, domain::recording::Tally, error::Refusal, store::Write};

/// The id and version of an answer; `None` where it names none. The header `Location` comes first: it is what the standard
/// has for it. A body is looked at as well: one about another patient is no answer to this write.
pub(super) fn of(
    approved: &Approved,
    request: &Request<'_>,
    response: &Response,
) -> Result<Option<Outcome>, Code> {
    let resource_type = request.destination.resource_type;
    let mut outcome = located(approved, request, response);
    if !response.body.is_empty() && response.body.first() == Some(&b'{') {
        let envelope =
            Envelope::parse(&response.body, &Limits::default()).map_err(|_fault| Code::UpstreamInvalid)?;
        if envelope.resource_type == Some(resource_type) {
            match verdict(&envelope, &approved.access.patients, &approved.place.base) {
                Verdict::Foreign => return Err(Code::UpstreamForeignPatient),
                Verdict::Ours => {}
                Verdict::Shared | Verdict::Attached | Verdict::Unverifiable => {
                    return Err(Code::UpstreamInvalid);
                }
            }
            if let Some(id) = envelope.id.as_deref() {
                if outcome.as_ref().is_some_and(|located| located.id != id) {
                    return Err(Code::UpstreamInvalid);
                }
                let version = envelope.version_id.as_deref().unwrap_or_default();
                let located = outcome.take().map(|located| located.version).filter(|v| !v.is_empty());
                outcome = Some(Outcome {
                    id: id.to_owned(),
                    version: located.unwrap_or_else(|| version.to_owned()),
                });
            }
        }
    }
    // An update is where it was.
    if let (Some(id), None) = (&request.destination.id, &outcome) {
        outcome = Some(Outcome { id: id.expose().to_owned(), version: tag(response).unwrap_or_default() });
    }
    if let (Some(id), Some(outcome)) = (&request.destination.id, &outcome)
        && outcome.id != id.expose()
    {
        return Err(Code::UpstreamInvalid);
    }
    Ok(outcome)
}

/// `Location: [base]/Type/id/_history/version`, below this endpoint's base and of this type.
fn located(approved: &Approved, request: &Request<'_>, response: &Response) -> Option<Outcome> {
    let location = response.headers.get(header::LOCATION)?.to_str().ok()?;
    let (plain, version) = match location.split_once("/_history/") {
        Some((plain, version)) => (plain, version.trim_end_matches('/').to_owned()),
        None => (location, String::new()),
    };
    match Reference::parse(plain, &approved.place.base) {
        Reference::Local { resource_type, id } if resource_type == request.destination.resource_type => {
            let version = if version.is_empty() { tag(response).unwrap_or_default() } else { version };
            Some(Outcome { id: id.to_owned(), version })
        }
        _ => None,
    }
}

fn tag(response: &Response) -> Option<String> {
    let tag = response.headers.get(header::ETAG)?.to_str().ok()?;
    Some(tag.trim().trim_start_matches("W/").trim_matches('"').to_owned())
}

/// What the ledger says that the EHR has.
pub(super) async fn read(gateway: &Gateway, write: &Write) -> Result<Written, Refusal> {
    let key = gateway.write_keys.of_row(&write.tenant, write.data_key).await?;
    let sealed = write.result_sealed.as_deref().ok_or(Code::Internal)?;
    let outcome: Outcome = key.open(write.id, "result", sealed)?;
    Ok(written(write, &outcome))
}

/// As callers get it.
pub(super) fn written(write: &Write, outcome: &Outcome) -> Written {
    Written {
        write_id: write.id,
        reference: format!("{}/{}", write.resource_type, outcome.id),
        version: outcome.version.clone(),
        is_repeated: false,
    }
}

/// As the record counts it.
pub(super) fn tally(written: &Written) -> Tally {
    let status = if written.is_repeated { 200 } else { 201 };
    Tally { released: 0, withheld: 0, bytes: 0, status, upstream_status: 0 }
}
