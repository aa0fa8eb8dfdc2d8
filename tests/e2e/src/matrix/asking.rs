//! One call as bytes: the row says the method, so that no method can be forgotten by not having a client here.

use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::{Body, Bytes};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use prost::Message;
use sallyport_rpc::Transport;
use tonic::Status;
use tower::ServiceExt;

/// A call that takes this long is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a call travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In this process.
    Local,
    /// Over mutual TLS.
    Tls,
}

impl Way {
    pub(super) const ALL: [Self; 2] = [Self::Local, Self::Tls];
}

/// What is asked: the message, and the secret of the cookie that the person's browser sent.
#[derive(Clone)]
pub(super) struct Ask {
    message: Vec<u8>,
    secret: Option<String>,
    operator: Option<String>,
}

impl Ask {
    pub(super) fn new(message: &impl Message) -> Self {
        Self { message: message.encode_to_vec(), secret: None, operator: None }
    }

    pub(super) fn with(self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self }
    }

    /// In the name of somebody at the console.
    pub(super) fn by_operator(self, secret: &str) -> Self {
        Self { operator: Some(secret.to_owned()), ..self }
    }

    /// The request of a method.
    fn request(&self, method: &str) -> anyhow::Result<Request<tonic::body::Body>> {
        let mut bytes = vec![0];
        bytes.extend_from_slice(&u32::try_from(self.message.len())?.to_be_bytes());
        bytes.extend_from_slice(&self.message);
        let mut request =
            Request::post(method).header("content-type", "application/grpc").header("te", "trailers");
        if let Some(secret) = &self.secret {
            request = request.header(sallyport_rpc::SESSION_METADATA, STANDARD_NO_PAD.encode(secret));
        }
        if let Some(secret) = &self.operator {
            let value = STANDARD_NO_PAD.encode(secret);
            request = request.header(sallyport_rpc::console::OPERATOR_METADATA, value);
        }
        Ok(request.body(tonic::body::Body::new(Body::from(bytes)))?)
    }
}

/// What came back: `ok` or a stable code, and the first message.
pub(super) struct Answer {
    pub(super) code: String,
    pub(super) message: Bytes,
}

impl Answer {
    /// Makes one call.
    pub(super) async fn over(transport: Transport, ask: &Ask, method: &str) -> anyhow::Result<Self> {
        let answer = transport.oneshot(ask.request(method)?).await;
        Self::read(answer.map_err(|error| anyhow::anyhow!("{method}: {error}"))?).await
    }

    /// Reads the first message or the status, whichever comes first.
    async fn read(response: Response<tonic::body::Body>) -> anyhow::Result<Self> {
        tokio::time::timeout(PATIENCE, Self::first(response)).await.context("no answer in time")?
    }

    async fn first(response: Response<tonic::body::Body>) -> anyhow::Result<Self> {
        let (parts, mut body) = response.into_parts();
        if let Some(answer) = Self::of(&parts.headers) {
            return Ok(answer);
        }
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return Self::of(&trailers).context("a body without a status");
                }
            }
            let length = bytes.get(1..5).and_then(|l| l.try_into().ok()).map(u32::from_be_bytes);
            let end = length.map(|length| 5 + length as usize);
            if let Some(message) = end.and_then(|end| bytes.get(5..end)) {
                return Ok(Self { code: "ok".to_owned(), message: Bytes::copy_from_slice(message) });
            }
        }
        bail!("an answer without a status")
    }

    fn of(headers: &HeaderMap) -> Option<Self> {
        let status = Status::from_header_map(headers)?;
        let code = match status.code() {
            tonic::Code::Ok => "ok",
            _ => sallyport_rpc::code_of(&status).as_str(),
        };
        Some(Self { code: code.to_owned(), message: Bytes::new() })
    }
}
