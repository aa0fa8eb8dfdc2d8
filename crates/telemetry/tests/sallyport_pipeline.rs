//! What leaves a process: spans over OTLP and in the ring, log lines, headers, the admin port. Telemetry is started
//! once per process, so every test finds its own things by trace id. The file's name makes its target one of ours.
#![cfg(test)]

use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, middleware, routing::get};
use http::{HeaderMap, Request, StatusCode};
use sallyport_telemetry::{
    LogSink, Settings, SpanView, Telemetry, fields, health,
    http::{Incoming, trace_requests},
    init,
    metrics::Metrics,
    propagate,
};
use sallyport_testkit::otlp::Receiver;
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt;
use tracing::Instrument;

/// Stands for a token wherever one could leak.
const CANARY: &str = "canary-5f2d9a";

/// Shaped like a sampled parent from outside.
const OUTSIDE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct House {
    runtime: Runtime,
    telemetry: Telemetry,
    receiver: Receiver,
    lines: Arc<Mutex<Vec<u8>>>,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let telemetry = runtime
        .block_on(async {
            init(Settings {
                service: "test".to_owned(),
                otlp_endpoint: Some(receiver.endpoint()),
                sample_ratio: 1.0,
                span_ring: 1_000,
                log: LogSink::Buffer(Arc::clone(&lines)),
            })
        })
        .unwrap();
    House { runtime, telemetry, receiver, lines }
});

fn block_on<F: Future>(future: F) -> F::Output {
    HOUSE.runtime.block_on(future)
}

fn trace_of(span: &tracing::Span) -> String {
    span.in_scope(|| propagate::current_trace_id().expect("a span has a trace"))
}

fn kept(trace_id: &str) -> Vec<Arc<SpanView>> {
    HOUSE.telemetry.ring.trace(trace_id)
}

/// The spans of a trace that reached the receiver; waits until `count` are there.
fn sent(trace_id: &str, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        HOUSE.telemetry.flush();
        let names: Vec<String> = HOUSE
            .receiver
            .spans()
            .into_iter()
            .filter(|s| hex(&s.trace_id) == trace_id)
            .map(|s| format!("{} {:?}", s.name, s))
            .collect();
        if names.len() >= count || Instant::now() > deadline {
            return names;
        }
        std::thread::yield_now();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn log() -> String {
    String::from_utf8(HOUSE.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
}

fn lines_of(trace_id: &str) -> Vec<Value> {
    let lines = log();
    let parsed = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    parsed.filter(|line| line["trace_id"] == trace_id).collect()
}

#[test]
fn only_our_own_spans_at_info_or_above_leave() {
    LazyLock::force(&HOUSE);
    let ours = tracing::info_span!("audit.batch.store");
    let trace_id = trace_of(&ours);
    ours.in_scope(|| {
        for foreign in [
            tracing::info_span!(target: "h2::client", "Connection"),
            tracing::error_span!(target: "hyper::proto", "parse_headers"),
            tracing::info_span!(target: "tonic::transport", "call"),
            tracing::info_span!(target: "sqlx::query", "query"),
            tracing::debug_span!("audit.batch.detail"),
        ] {
            foreign.in_scope(|| tracing::info_span!("audit.batch.inner").in_scope(|| ()));
        }
    });
    drop(ours);
    let names: Vec<String> = kept(&trace_id).into_iter().map(|s| s.name.clone()).collect();
    let mut expected = vec!["audit.batch.store"];
    expected.extend(["audit.batch.inner"; 5]);
    assert_eq!(names, expected);
    assert_eq!(sent(&trace_id, 6).len(), 6);
    // The export itself went over tonic, hyper and h2.
    for span in HOUSE.receiver.spans() {
        assert!(span.name.contains('.'), "{} is not one of our names", span.name);
    }
}

#[test]
fn only_listed_attributes_leave_and_nothing_else_of_a_span_does() {
    LazyLock::force(&HOUSE);
    let before = dropped();
    let span = tracing::info_span!(
        "vault.token.exchange",
        tenant.id = "general",
        code = CANARY,
        state = CANARY,
        patient.id = CANARY,
        url.full = CANARY,
        count = 3
    );
    let trace_id = trace_of(&span);
    span.in_scope(|| tracing::error!(body = CANARY, "not {CANARY}"));
    drop(span);
    let kept = kept(&trace_id);
    let attributes: Vec<(&str, &str)> =
        kept[0].attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(attributes, [("count", "3"), (fields::TENANT_ID, "general")]);
    assert_eq!(kept[0].status, "error");
    let exported = sent(&trace_id, 1);
    assert!(exported[0].contains("general") && !exported[0].contains(CANARY), "{}", exported[0]);
    for inside in ["file", "line", "thread", "target", "code.", "busy", "idle"] {
        assert!(!exported[0].contains(&format!("key: \"{inside}")), "{inside} left: {}", exported[0]);
    }
    assert!(dropped() >= before + 5, "what is dropped is counted");
}

fn dropped() -> u64 {
    let text = Metrics::new().render();
    let line = text.lines().find(|l| l.starts_with("sallyport_telemetry_dropped_fields_total")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_log_line_has_its_trace_and_only_listed_fields() {
    LazyLock::force(&HOUSE);
    let span = tracing::info_span!("audit.batch.store");
    let trace_id = trace_of(&span);
    span.in_scope(|| {
        tracing::warn!(
            tenant.id = "general",
            code = "audit.unavailable",
            records = 7_u64,
            token = CANARY,
            patient.id = ?CANARY,
            "audit records wait"
        );
    });
    let lines = lines_of(&trace_id);
    assert_eq!(lines.len(), 1);
    let mut line = lines[0].as_object().unwrap().clone();
    assert!(line.remove("timestamp_us").unwrap().as_i64().unwrap() > 1_700_000_000_000_000);
    assert_eq!(line.remove("span_id").unwrap().as_str().unwrap().len(), 16);
    let rest = serde_json::json!({
        "level": "WARN", "target": "sallyport_pipeline", "message": "audit records wait", "trace_id": trace_id,
        "tenant.id": "general", "code": "audit.unavailable", "records": 7,
    });
    assert_eq!(Value::Object(line), rest);
}

#[test]
fn what_a_library_says_is_not_repeated() {
    LazyLock::force(&HOUSE);
    let span = tracing::info_span!("audit.batch.store");
    let trace_id = trace_of(&span);
    span.in_scope(|| {
        tracing::error!(target: "somelib::io", reason = CANARY, "sent {CANARY}");
        tracing::info!(target: "somelib::io", "chatter");
        tracing::error!(target: "h2::codec", "frame {CANARY}");
    });
    let lines = lines_of(&trace_id);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["message"], "a library reported a problem");
    assert_eq!(lines[0]["target"], "somelib::io");
    assert!(!lines[0].to_string().contains(CANARY));
}

#[test]
fn a_panic_tells_its_place_and_not_its_payload() {
    LazyLock::force(&HOUSE);
    let payload = format!("{CANARY}-panic");
    let told = payload.clone();
    assert!(std::thread::spawn(move || panic!("{told}")).join().is_err());
    let log = log();
    assert!(log.contains("a task panicked") && log.contains("sallyport_pipeline.rs"));
    assert!(!log.contains(&payload));
}

#[test]
fn a_trace_goes_on_over_headers_and_stored_text() {
    LazyLock::force(&HOUSE);
    let mut headers = HeaderMap::new();
    let client = tracing::info_span!("egress.http.request", otel.kind = "client");
    let trace_id = trace_of(&client);
    let text = client.in_scope(|| {
        propagate::inject(&mut headers);
        propagate::traceparent().unwrap()
    });
    let server = tracing::info_span!("rpc.server.call", otel.kind = "server");
    propagate::set_parent(&server, &headers);
    let later = tracing::info_span!("callback.arrive");
    propagate::set_parent_text(&later, &text);
    let linked = tracing::info_span!("gateway.call");
    propagate::link(&linked, &text);
    let linked_id = trace_of(&linked);
    drop((server, later, linked, client));
    let spans = kept(&trace_id);
    let client = spans.iter().find(|s| s.kind == "client").unwrap().span_id.clone();
    let children: Vec<&str> =
        spans.iter().filter(|s| s.parent_span_id == client).map(|s| s.name.as_str()).collect();
    assert_eq!(children.len(), 2, "{children:?}");
    assert_eq!(kept(&linked_id)[0].links, [trace_id]);
}

#[test]
fn an_outsider_s_trace_state_does_not_travel_on() {
    LazyLock::force(&HOUSE);
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", OUTSIDE.parse().unwrap());
    headers.insert("tracestate", format!("x={CANARY}").parse().unwrap());
    let span = tracing::info_span!("http.server.request");
    propagate::set_parent_from_outside(&span, &headers);
    let mut onward = HeaderMap::new();
    span.in_scope(|| propagate::inject(&mut onward));
    assert!(onward["traceparent"].to_str().unwrap().contains("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert!(!format!("{onward:?}").contains(CANARY));
}

#[test]
fn a_malformed_parent_is_no_parent_and_no_link() {
    LazyLock::force(&HOUSE);
    let around = tracing::info_span!("web.page.render");
    let around_id = trace_of(&around);
    around.in_scope(|| {
        for text in ["", "garbage", "00-00000000000000000000000000000000-0000000000000000-01"] {
            let span = tracing::info_span!(parent: None, "gateway.call");
            propagate::set_parent_text(&span, text);
            propagate::link(&span, text);
            let own = trace_of(&span);
            assert_ne!(own, around_id, "{text:?}");
            drop(span);
            assert_eq!(kept(&own)[0].links, Vec::<String>::new());
        }
    });
}

async fn ask(router: &Router, request: Request<Body>) -> http::Response<Body> {
    router.clone().oneshot(request).await.unwrap()
}

fn front_door() -> Router {
    let inner = Router::new()
        .route("/fhir/{launch}/{*path}", get(|| async { propagate::current_trace_id().unwrap() }))
        .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }))
        .route(
            "/id",
            get(|request: Request<Body>| async move {
                request.extensions().get::<Incoming>().unwrap().0.to_string()
            }),
        )
        .route_layer(middleware::from_fn(trace_requests));
    Router::new().merge(inner).layer(middleware::from_fn(trace_requests))
}

async fn text(response: http::Response<Body>) -> String {
    String::from_utf8(axum::body::to_bytes(response.into_body(), 100_000).await.unwrap().to_vec()).unwrap()
}

#[test]
fn a_request_has_one_span_and_one_line_by_route_and_never_by_path() {
    LazyLock::force(&HOUSE);
    let request = Request::get(format!("/fhir/{CANARY}/Patient/{CANARY}?name={CANARY}")).body(Body::empty());
    let trace_id = block_on(async { text(ask(&front_door(), request.unwrap()).await).await });
    let spans = kept(&trace_id);
    assert_eq!(spans.len(), 1, "nested layers trace once: {spans:?}");
    let attributes = &spans[0].attributes;
    assert_eq!(attributes["http.route"], "/fhir/{launch}/{*path}");
    assert_eq!(attributes["http.request.method"], "GET");
    assert_eq!(attributes["http.response.status_code"], "200");
    assert_eq!((spans[0].kind.as_str(), spans[0].name.as_str()), ("server", "http.server.request"));
    let lines = lines_of(&trace_id);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["http.response.status_code"], 200);
    assert_eq!(lines[0]["outcome"], "answered");
    assert_eq!(lines[0]["request.id"].as_str(), attributes.get("request.id").map(String::as_str));
    assert!(!format!("{spans:?}{lines:?}").contains(CANARY));
}

#[test]
fn a_request_id_is_taken_when_it_is_one_and_answered_always() {
    LazyLock::force(&HOUSE);
    block_on(async {
        let given = "0192f0c1-2345-7abc-8def-0123456789ab";
        let request = Request::get("/id").header("x-request-id", given).body(Body::empty()).unwrap();
        let response = ask(&front_door(), request).await;
        let answered = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(answered, text(response).await);
        assert_eq!(answered.replace('-', ""), given.replace('-', ""));
        let request = Request::get("/id").header("x-request-id", CANARY).body(Body::empty()).unwrap();
        let response = ask(&front_door(), request).await;
        assert!(!response.headers()["x-request-id"].to_str().unwrap().contains(CANARY));
    });
}

#[test]
fn an_outsider_may_give_a_trace_but_not_switch_tracing_off() {
    LazyLock::force(&HOUSE);
    block_on(async {
        let path = "/fhir/l/Patient/1";
        let sampled = Request::get(path).header("traceparent", OUTSIDE).body(Body::empty()).unwrap();
        assert_eq!(text(ask(&front_door(), sampled).await).await, "4bf92f3577b34da6a3ce929d0e0e4736");
        let off = OUTSIDE.replace("-01", "-00");
        let unsampled = Request::get(path).header("traceparent", off).body(Body::empty()).unwrap();
        let own = text(ask(&front_door(), unsampled).await).await;
        assert_ne!(own, "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(kept(&own).len(), 1, "it is traced all the same");
    });
}

#[test]
fn a_server_error_marks_its_span_and_an_odd_method_is_not_repeated() {
    LazyLock::force(&HOUSE);
    let before = HOUSE.telemetry.ring.all().len();
    block_on(async {
        let odd = Request::builder().method("CANARYMETHOD").uri("/broken").body(Body::empty()).unwrap();
        ask(&front_door(), odd).await;
        ask(&front_door(), Request::get("/broken").body(Body::empty()).unwrap()).await;
    });
    let all = HOUSE.telemetry.ring.all();
    assert!(all.len() > before);
    let broken: Vec<_> =
        all.iter().filter(|s| s.attributes.get("http.route").is_some_and(|r| r == "/broken")).collect();
    assert!(broken.iter().any(|s| s.status == "error" && s.attributes["http.response.status_code"] == "502"));
    assert!(broken.iter().any(|s| s.attributes["http.request.method"] == "_OTHER"));
    assert!(!format!("{all:?}{}", log()).contains("CANARYMETHOD"));
}

#[test]
fn a_request_whose_client_went_away_has_its_line() {
    LazyLock::force(&HOUSE);
    let (sender, receiver) = std::sync::mpsc::channel();
    let router = Router::new()
        .route(
            "/slow",
            get(move || async move {
                sender.send(propagate::current_trace_id().unwrap()).unwrap();
                std::future::pending::<()>().await;
            }),
        )
        .layer(middleware::from_fn(trace_requests));
    let trace_id = block_on(async {
        let task =
            tokio::spawn(
                async move { ask(&router, Request::get("/slow").body(Body::empty()).unwrap()).await },
            );
        let trace_id = tokio::task::spawn_blocking(move || receiver.recv().unwrap()).await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        trace_id
    });
    let lines = lines_of(&trace_id);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["outcome"], "abandoned");
}

#[test]
fn the_admin_port_tells_health_metrics_and_traces() {
    LazyLock::force(&HOUSE);
    let ready = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = Arc::clone(&ready);
    let metrics = Metrics::new();
    metrics.counter("sallyport_calls_total", "Calls.", &[]).inc(&[]);
    let check: health::Ready = Arc::new(move || match asked.load(std::sync::atomic::Ordering::SeqCst) {
        true => Ok(()),
        false => Err("the spool is full".to_owned()),
    });
    let router = health::router(metrics, HOUSE.telemetry.ring.clone(), health::Probes::of(check));
    block_on(async {
        let get = |path: &str| Request::get(path.to_owned()).body(Body::empty()).unwrap();
        assert_eq!(ask(&router, get("/live")).await.status(), StatusCode::OK);
        let answer = ask(&router, get("/ready")).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text(answer).await, "not ready: the spool is full\n");
        ready.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(ask(&router, get("/ready")).await.status(), StatusCode::OK);
        assert_eq!(ask(&router, get("/startup")).await.status(), StatusCode::OK);
        assert!(text(ask(&router, get("/metrics")).await).await.contains("sallyport_calls_total 1"));
        let span = tracing::info_span!("jobs.run.start", tenant.id = "general");
        let trace_id = trace_of(&span);
        async {}.instrument(span).await;
        let answer = text(ask(&router, get(&format!("/traces/{trace_id}"))).await).await;
        let spans: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(spans[0]["name"], "jobs.run.start");
        assert_eq!(spans[0]["attributes"]["tenant.id"], "general");
        assert_eq!(text(ask(&router, get("/traces/none")).await).await, "[]");
        let listed = text(ask(&router, get("/traces?format=json&name=jobs.run")).await).await;
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        assert!(listed.iter().any(|t| t["trace_id"] == trace_id), "{listed:?}");
        assert!(listed.iter().all(|t| t["name"].as_str().unwrap().starts_with("jobs.run")), "{listed:?}");
    });
}

#[test]
fn a_browser_gets_pages_without_script_and_without_anything_from_elsewhere() {
    LazyLock::force(&HOUSE);
    let router =
        health::router(Metrics::new(), HOUSE.telemetry.ring.clone(), health::Probes::of(Arc::new(|| Ok(()))));
    block_on(async {
        let get =
            |path: String| Request::get(path).header("accept", "text/html,*/*").body(Body::empty()).unwrap();
        let span = tracing::info_span!("jobs.run.finish", tenant.id = "general");
        let trace_id = trace_of(&span);
        async {}.instrument(span).await;
        for (path, status, says) in [
            ("/traces".to_owned(), StatusCode::OK, "jobs.run.finish"),
            (format!("/traces/{trace_id}"), StatusCode::OK, "jobs.run.finish"),
            ("/traces/none".to_owned(), StatusCode::NOT_FOUND, "No such trace"),
        ] {
            let answer = ask(&router, get(path.clone())).await;
            assert_eq!(answer.status(), status, "{path}");
            let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
            let page = text(answer).await;
            assert!(page.contains(says), "{path}");
            for foreign in ["<script", "style=", "http://", "https://", "//"] {
                assert!(!page.contains(foreign), "{path} holds {foreign}");
            }
        }
        let style = ask(&router, get("/traces.css".to_owned())).await;
        assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
    });
}

#[test]
fn telemetry_starts_once() {
    LazyLock::force(&HOUSE);
    let again = block_on(async {
        init(Settings {
            service: "again".to_owned(),
            otlp_endpoint: None,
            sample_ratio: 1.0,
            span_ring: 0,
            log: LogSink::Stderr,
        })
    });
    assert!(again.is_err());
}
