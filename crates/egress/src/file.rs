//! A file of an export: streamed with bounded memory, and the one redirect that is followed.
//!
//! A file may lie behind an address that is signed itself (FHIR Bulk Data Access, "Bulk Data Output File Request"). Such a
//! redirect is followed once, to the hosts pinned for files, without the token: whoever signed the address has no
//! business with it.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tracing::Instrument;
use url::Url;

use crate::{Egress, EgressError, Pins, Request, body::Unpacker};

/// A piece of a file, unpacked. Never empty.
pub type Piece = Bytes;

/// An answer whose body is still coming.
pub struct File {
    /// The status; never a redirect.
    pub status: StatusCode,
    /// The headers as sent.
    pub headers: HeaderMap,
    /// Bytes of the body, where the server said it and it comes unpacked.
    pub length: Option<u64>,
    body: Incoming,
    unpacker: Unpacker,
    idle: Duration,
    is_over: bool,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("status", &self.status).finish_non_exhaustive()
    }
}

impl File {
    /// The next piece; `None` when the whole body has come. Each piece is what one read of the connection gave.
    ///
    /// # Errors
    /// [`EgressError::Interrupted`] when the body broke off, [`EgressError::Timeout`] when nothing came for the longest
    /// pause allowed, [`EgressError::Invalid`] or [`EgressError::TooLarge`] when it cannot be unpacked.
    pub async fn next(&mut self) -> Result<Option<Piece>, EgressError> {
        while !self.is_over {
            let frame = tokio::time::timeout(self.idle, self.body.frame()).await;
            let frame = frame.map_err(|_elapsed| EgressError::Timeout)?;
            let piece = match frame {
                None => {
                    self.is_over = true;
                    self.unpacker.finish()?
                }
                Some(Err(_broken)) => return Err(EgressError::Interrupted),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.unpacker.push(data)?,
                    Err(_trailers) => continue,
                },
            };
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

impl Egress {
    /// Asks for a file. `request.deadline` is for the answer's head; after that no pause may be longer than `idle`. One
    /// redirect is followed, to `signed` alone and without the token; any other is an error.
    ///
    /// # Errors
    /// [`EgressError`], as of [`Egress::send`].
    pub async fn file(
        &self,
        pins: &Pins,
        signed: &Pins,
        request: Request<'_>,
        idle: Duration,
    ) -> Result<File, EgressError> {
        let span = tracing::info_span!(
            "egress.http.request",
            otel.kind = "client",
            http.request.method = Method::GET.as_str(),
            server.address = request.url.host_str().unwrap_or_default(),
            server.port = request.url.port_or_known_default(),
            http.response.status_code = tracing::field::Empty,
            bytes = tracing::field::Empty,
            error.kind = tracing::field::Empty,
        );
        let outcome = self.file_checked(pins, signed, request, idle).instrument(span.clone()).await;
        match &outcome {
            Ok(file) => span.record("http.response.status_code", file.status.as_u16()),
            Err(error) => span.record("error.kind", error.as_str()),
        };
        outcome
    }

    async fn file_checked(
        &self,
        pins: &Pins,
        signed: &Pins,
        request: Request<'_>,
        idle: Duration,
    ) -> Result<File, EgressError> {
        match self.file_once(pins, &request, idle).await {
            Err((EgressError::Redirect(status), Some(target))) => {
                if !signed.admits(&target) {
                    return Err(EgressError::Redirect(status));
                }
                let bearer = request.bearer.filter(|_| sallyport_model::planted!("token-to-signed-address"));
                let headers = only_of_the_file(&request.headers);
                let second = Request { url: target, bearer, headers, ..request };
                self.file_once(signed, &second, idle).await.map_err(|(error, _)| error)
            }
            outcome => outcome.map_err(|(error, _)| error),
        }
    }

    async fn file_once(
        &self,
        pins: &Pins,
        request: &Request<'_>,
        idle: Duration,
    ) -> Result<File, (EgressError, Option<Url>)> {
        if !pins.admits(&request.url) && !sallyport_model::planted!("manifest-followed-anywhere") {
            return Err((EgressError::NotPinned, None));
        }
        if request.url.scheme() != "https" && !request.allow_loopback {
            return Err((EgressError::AddressRefused, None));
        }
        if request.method != Method::GET || !request.body.is_empty() {
            return Err((EgressError::Invalid, None));
        }
        let started = Arc::new(AtomicBool::new(true));
        let head = tokio::time::timeout_at(request.deadline, self.head(request, &started)).await;
        let (parts, body) = head.unwrap_or(Err((EgressError::Timeout, None)))?;
        let unpacker = Unpacker::for_encoding(&parts.headers).map_err(|error| (error, None))?;
        let length = body.size_hint().exact().filter(|_| matches!(unpacker, Unpacker::Plain));
        Ok(File {
            status: parts.status,
            headers: parts.headers,
            length,
            body,
            unpacker,
            idle,
            is_over: false,
        })
    }
}

/// What a signed address is told: which part of the file is wanted, and nothing about who asks.
fn only_of_the_file(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [header::ACCEPT, header::RANGE, header::IF_RANGE] {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests;
