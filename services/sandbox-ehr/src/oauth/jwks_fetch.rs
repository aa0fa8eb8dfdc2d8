//! Fetches a client's JWK set from its registered URL. Plain `http` only: the sandbox runs on the
//! developer's machine next to the app, and brings no TLS of its own.

use std::time::Duration;

use axum::body::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Longer answers are refused.
const MOST_BYTES: usize = 256 * 1024;
/// A token request waits no longer than this for the client's keys.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no JWK set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JwksUnavailable {
    #[error("the JWK set's URL is not an http URL")]
    Url,
    #[error("the JWK set could not be fetched")]
    Fetch,
    #[error("the JWK set is not JSON")]
    Json,
}

/// Reads the JWK set at `url`.
pub(crate) async fn fetch(url: &str) -> Result<Value, JwksUnavailable> {
    if !url.starts_with("http://") {
        return Err(JwksUnavailable::Url);
    }
    let request =
        Request::get(url).header(http::header::ACCEPT, "application/json").body(Empty::<Bytes>::new());
    let request = request.map_err(|_invalid| JwksUnavailable::Url)?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let read = async {
        let response = client.request(request).await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        Limited::new(response.into_body(), MOST_BYTES).collect().await.ok()
    };
    let collected = tokio::time::timeout(TIMEOUT, read).await.ok().flatten();
    let bytes = collected.ok_or(JwksUnavailable::Fetch)?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|_invalid| JwksUnavailable::Json)
}
