//! The same records as a file: RFC 4180, no patient, and no cell that a spreadsheet takes for a formula.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};
use sallyport_model::csv::cell;
use sallyport_proto::{
    audit::v1::{Mask, Record},
    types::v1::actor,
};

use super::{audit, frame, seat::Seat, words};

const HEADER: &str = "recorded_at,kind,phase,outcome,endpoint,user,patients_masked,interaction,resource_types,released,code,trace_id,record_id,detail";

/// `GET /console/audit.csv`.
pub(super) async fn download(seat: Seat) -> Response {
    let answer = match audit::found(&seat, audit::FILE).await {
        Ok(answer) => answer,
        Err(code) => return frame::refused(&seat, code),
    };
    let mut text = format!("{HEADER}\r\n");
    let none = Mask::default();
    for (at, record) in answer.records.iter().enumerate() {
        text.push_str(&line(
            &seat.times.machine(record.recorded_at),
            record,
            answer.masks.get(at).unwrap_or(&none),
        ));
        text.push_str("\r\n");
    }
    let name = format!("attachment; filename=\"audit-{}.csv\"", seat.tenant.as_str());
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_DISPOSITION, &name),
    ];
    (headers, text).into_response()
}

fn line(at: &str, record: &Record, mask: &Mask) -> String {
    let user = match record.actor.as_ref().and_then(|actor| actor.kind.as_ref()) {
        Some(actor::Kind::User(user)) => user.subject.as_str(),
        Some(actor::Kind::Service(name)) => name.as_str(),
        Some(actor::Kind::Anonymous(_)) | None => "",
    };
    let cells = [
        at,
        record.kind().as_str_name(),
        record.phase().as_str_name(),
        record.outcome().as_str_name(),
        &record.endpoint,
        user,
        &mask.patients.join(" "),
        &record.interaction,
        &record.resource_types.join(" "),
        &record.released.to_string(),
        &record.code,
        &record.trace_id,
        &words::id(&record.record_id),
        &record.detail,
    ];
    cells.map(cell).join(",")
}
