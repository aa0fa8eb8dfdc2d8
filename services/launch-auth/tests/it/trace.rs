//! One trace from the click to the session, and nothing secret in it or in the log.

use std::sync::{Arc, Mutex, OnceLock};

use sallyport_proto::audit::v1::Kind;
use sallyport_telemetry::{LogSink, Settings, SpanRing, Telemetry, init};
use sallyport_testkit::canary::Canaries;

use crate::{
    browser::query,
    world::{World, each, eventually},
};

struct Observed {
    ring: SpanRing,
    log: Arc<Mutex<Vec<u8>>>,
    _telemetry: Telemetry,
}

/// Telemetry is a matter of the process: every test here is observed from the first of these on.
fn observed() -> &'static Observed {
    static OBSERVED: OnceLock<Observed> = OnceLock::new();
    OBSERVED.get_or_init(|| {
        let log = Arc::new(Mutex::default());
        // The product's hook hides what a panic says; a failed assertion is for reading.
        let hook = std::panic::take_hook();
        let telemetry = init(Settings {
            service: "launch-auth".to_owned(),
            otlp_endpoint: None,
            sample_ratio: 1.0,
            span_ring: 50_000,
            log: LogSink::Buffer(Arc::clone(&log)),
        });
        std::panic::set_hook(hook);
        let telemetry = telemetry.unwrap();
        Observed { ring: telemetry.ring.clone(), log, _telemetry: telemetry }
    })
}

#[tokio::test]
async fn the_callback_continues_the_trace_of_its_launch() {
    let observed = observed();
    each(|world: World| async move {
        world.open(&mut world.browser()).await;
        let start = world.records(Kind::Launch).await.pop().unwrap();
        let finish = world.records(Kind::Callback).await.pop().unwrap();
        assert_eq!(start.trace_id.len(), 32);
        assert_eq!(start.trace_id, finish.trace_id);
        for name in [
            "launch-auth.launch.start",
            "launch-auth.discovery.fetch",
            "launch-auth.callback.finish",
            "rpc.client.call",
        ] {
            // A span is there when it has ended, which may be after the answer has left.
            let is_there =
                || async { observed.ring.trace(&start.trace_id).iter().any(|span| span.name == name) };
            eventually(name, is_there).await;
        }
        let spans = observed.ring.trace(&start.trace_id);
        let finish = spans.iter().find(|span| span.name == "launch-auth.callback.finish").unwrap();
        let request = observed.ring.trace(&finish.links[0]);
        assert_eq!(request[0].attributes["http.route"], "/callback/{registration}", "joined by a link");
    })
    .await;
}

#[tokio::test]
async fn no_secret_and_no_person_is_in_log_or_spans() {
    let observed = observed();
    each(|world: World| async move {
        let mut browser = world.browser();
        let departed = world.depart(&mut browser).await;
        let path = world.answer_path(&departed);
        browser.get(&path).await;
        browser.get(&path).await;
        world.browser().get(&path).await;
        let sent = world.vault.exchanges.lock().unwrap()[0].clone();
        let mut canaries = Canaries::default();
        canaries.add("state", &departed.state);
        canaries.add("nonce", &query(&departed.authorize, "nonce").unwrap());
        canaries.add("verifier", &sent.code_verifier);
        canaries.add("code", "code-canary");
        canaries.add("launch token", "launch-canary");
        canaries.add("patient", "patient-canary-1");
        canaries.add("display", "Dr. Canary Display");
        for (name, value) in &browser.jar {
            canaries.add(name, value);
        }
        let log = observed.log.lock().unwrap().clone();
        assert!(String::from_utf8_lossy(&log).contains("request finished"), "the scan reads a real log");
        assert_eq!(canaries.scan(&log), []);
        let spans = format!("{:?}", observed.ring.all());
        assert!(spans.contains("launch-auth.callback.finish"), "the scan reads real spans");
        assert_eq!(canaries.scan(spans.as_bytes()), []);
    })
    .await;
}
