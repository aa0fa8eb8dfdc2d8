//! An app team's own pages: a folder that is served, or an upstream that is proxied. Only with the launch's cookie,
//! which is never passed on.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sallyport_model::{AppId, Code, LaunchId, TenantId, session};
use sallyport_proto::{
    convert,
    gateway::v1::{ViewRequest, ViewResponse, fhir_gateway_client::FhirGatewayClient},
};
use sallyport_registry::{Open, Registry};
use sallyport_rpc::Transport;
use tower::ServiceExt;
use tower_http::services::ServeDir;

/// What an upstream is sent of the browser's headers.
const REQUEST_HEADERS: [HeaderName; 6] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    header::RANGE,
];

/// What the browser is sent of an upstream's headers.
const RESPONSE_HEADERS: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CACHE_CONTROL,
    header::ETAG,
    header::VARY,
    header::CONTENT_SECURITY_POLICY,
];

/// Serves app entries that open a page of their own.
pub(crate) struct OwnFrontEnd {
    gateway: Transport,
    registry: Arc<Registry>,
    client: Client<HttpConnector, Body>,
}

impl OwnFrontEnd {
    pub(crate) fn new(gateway: Transport, registry: Arc<Registry>) -> Self {
        Self { gateway, registry, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// The launch's view, which only its own cookie opens.
    async fn view(&self, launch: LaunchId, headers: &HeaderMap) -> Result<ViewResponse, Code> {
        let cookies =
            headers.get(header::COOKIE).and_then(|v| v.to_str().ok()).ok_or(Code::SessionMissing)?;
        let secret = session::find_cookie(cookies, launch).ok_or(Code::SessionMissing)?;
        let mut request = tonic::Request::new(ViewRequest { launch_id: convert::id_bytes(launch.uuid()) });
        let value = tonic::metadata::MetadataValue::from_bytes(secret.expose().as_bytes());
        request.metadata_mut().insert_bin(sallyport_rpc::SESSION_METADATA, value);
        let answer = FhirGatewayClient::new(self.gateway.clone()).view(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| sallyport_rpc::code_of(&status))
    }

    fn open(&self, view: &ViewResponse) -> Option<&Open> {
        let tenant = self.registry.tenant(&TenantId::parse(&view.tenant).ok()?)?;
        let app = AppId::parse(&view.app).ok()?;
        tenant.apps.iter().find(|a| a.id == app).map(|a| &a.open)
    }

    async fn forward(&self, upstream: &url::Url, path: &str, request: Request) -> Result<Response, Code> {
        let query = request.uri().query().map(|q| format!("?{q}")).unwrap_or_default();
        let base = upstream.as_str().trim_end_matches('/');
        let uri: Uri = format!("{base}/{path}{query}").parse().map_err(|_shape| Code::PathInvalid)?;
        let (parts, body) = request.into_parts();
        let mut outgoing = http::Request::new(body);
        *outgoing.method_mut() = parts.method;
        *outgoing.uri_mut() = uri;
        copy(&parts.headers, outgoing.headers_mut(), &REQUEST_HEADERS);
        let answer = self.client.request(outgoing).await.map_err(|_unreachable| Code::DependencyDown)?;
        let (parts, body) = answer.into_parts();
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = parts.status;
        copy(&parts.headers, response.headers_mut(), &RESPONSE_HEADERS);
        Ok(response)
    }
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        if let Some(value) = from.get(name) {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// `/app/{launch}/`
pub(crate) async fn serve_root(
    State(own): State<Arc<OwnFrontEnd>>,
    Path(launch): Path<String>,
    request: Request,
) -> Response {
    answer(&own, &launch, "", request).await
}

/// `/app/{launch}/{*path}`
pub(crate) async fn serve(
    State(own): State<Arc<OwnFrontEnd>>,
    Path((launch, path)): Path<(String, String)>,
    request: Request,
) -> Response {
    answer(&own, &launch, &path, request).await
}

async fn answer(own: &OwnFrontEnd, launch: &str, path: &str, request: Request) -> Response {
    match page(own, launch, path, request).await {
        Ok(response) => response,
        Err(code) => super::plain(code).into_response(),
    }
}

async fn page(own: &OwnFrontEnd, launch: &str, path: &str, request: Request) -> Result<Response, Code> {
    let launch = LaunchId::parse(launch).map_err(|_shape| Code::NotFound)?;
    let is_plain =
        path.split('/').all(|segment| segment != ".." && segment != "." && !segment.contains('\\'));
    if !is_plain {
        return Err(Code::PathInvalid);
    }
    let view = own.view(launch, request.headers()).await?;
    let mut response = match own.open(&view).ok_or(Code::NotFound)? {
        Open::Chart => return Err(Code::NotFound),
        Open::Folder(folder) => {
            let file: Uri = format!("/{path}").parse().map_err(|_shape| Code::PathInvalid)?;
            let mut plain = http::Request::new(Body::empty());
            *plain.method_mut() = request.method().clone();
            *plain.uri_mut() = file;
            match ServeDir::new(folder).oneshot(plain).await {
                Ok(response) => response.into_response(),
                Err(never) => match never {},
            }
        }
        Open::Upstream(upstream) => own.forward(upstream, path, request).await?,
    };
    if response.status() == StatusCode::NOT_FOUND {
        return Err(Code::NotFound);
    }
    protect(response.headers_mut(), &view.frame_ancestors);
    Ok(response)
}

/// The page may do what it likes with its own origin; who may frame it and where its addresses leak is ours to say.
fn protect(headers: &mut HeaderMap, ancestors: &[String]) {
    let policy =
        format!("frame-ancestors 'self' {}; object-src 'none'; base-uri 'self'", ancestors.join(" "));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        // A second policy can only narrow the team's own.
        headers.append(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
