//! Signing an incident's report, so that nobody changes it afterwards. The log holds its hash: whoever has the log finds
//! what was signed, also when every copy is gone.

use aws_lc_rs::digest;
use sallyport_audit_proof::{Note, report_text};
use sallyport_model::TenantId;
use sallyport_proto::{
    audit::v1::{Kind, Outcome, QueryRequest, Record, SignReportRequest, SignReportResponse},
    convert,
};

use super::{Domain, query::asked_by_somebody};
use crate::Error;

/// A note holds 128 KiB.
const MAX_BODY: usize = 96 * 1024;

/// Signs, after it was recorded who asked, why, and what.
pub(crate) async fn sign(domain: &Domain, request: &SignReportRequest) -> Result<SignReportResponse, Error> {
    asked_by_somebody(&QueryRequest {
        operator: request.operator.clone(),
        reason: request.reason.clone(),
        ..QueryRequest::default()
    })?;
    if request.body.len() > MAX_BODY {
        return Err(Error::Invalid("body"));
    }
    let text = report_text(&request.body).map_err(|_shape| Error::Invalid("body"))?;
    let tenant = TenantId::system();
    let record = Record {
        kind: Kind::Operator.into(),
        tenant: tenant.as_str().to_owned(),
        actor: Some(convert::operator_actor(&request.operator)),
        purpose: "HSYSADMIN".to_owned(),
        interaction: "sign-report".to_owned(),
        outcome: Outcome::Success.into(),
        detail: format!("sha256 {} : {}", sha256(&text), request.reason),
        ..Record::default()
    };
    domain.audit.event(record).await?;
    let mut note = Note::unsigned(text)?;
    domain.signer.sign_note(tenant.as_str(), &mut note)?;
    Ok(SignReportResponse { note: note.to_string() })
}

/// SHA-256 of what is signed, in hexadecimal.
fn sha256(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}
