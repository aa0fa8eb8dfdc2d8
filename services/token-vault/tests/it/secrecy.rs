//! Nothing secret lies in the database, a log, a span, a metric, an error or a panic.

use std::{
    fmt::Debug,
    path::Path,
    sync::{Arc, Mutex},
};

use sallyport_db::testing::TestDb;
use sallyport_model::ServiceName;
use sallyport_proto::vault::v1::PublicKeysRequest;
use sallyport_testkit::canary::Canaries;
use sallyport_token_vault::{Config, MIGRATIONS};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

use crate::{
    sign_in::Script,
    world::{World, each, usual},
};

/// What the sign-in service and this test invent.
fn canaries() -> Canaries {
    let mut canaries = Canaries::default();
    for serial in 1..=4 {
        canaries.add(&format!("access {serial}"), &format!("access-canary-{serial:04}"));
        canaries.add(&format!("refresh {serial}"), &format!("refresh-canary-{serial:04}"));
    }
    for (name, value) in [
        ("code", "code-canary~nonce-1"),
        ("verifier", "verifier-canary"),
        ("secret", "client-secret-canary"),
        ("user", "user-canary-1"),
    ] {
        canaries.add(name, value);
    }
    canaries
}

/// Everything a token goes through: exchange, serve, refresh, refusal, failure.
async fn live(world: &World) {
    let grant = world.grant().await;
    world.access(&grant).await.unwrap();
    world.until_expiry();
    world.access(&grant).await.unwrap();
    world.until_expiry();
    world.sign_in.script("token", [Script::Broken]);
    let uncertain = world.access(&grant).await.unwrap_err();
    assert!(canaries().scan(format!("{uncertain:?}").as_bytes()).is_empty(), "{uncertain:?}");
    assert!(canaries().scan(uncertain.message().as_bytes()).is_empty());
    let refused = world.exchange(world.transaction("elsewhere")).await;
    assert!(refused.is_ok());
}

fn bytes_of(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.extend(if path.is_dir() { bytes_of(&path) } else { std::fs::read(path).unwrap() });
    }
    all
}

#[tokio::test]
async fn the_database_file_holds_no_secret_in_any_spelling() {
    let database = TestDb::sqlite(MIGRATIONS).await.unwrap();
    let world = World::start(database.pool.clone(), 1, usual, Config::default()).await;
    live(&world).await;
    let bytes = bytes_of(database.folder().unwrap());
    assert!(bytes.len() > 10_000, "the scan reads the database");
    assert!(bytes.windows(7).any(|w| w == b"general"), "and what is in it");
    assert_eq!(canaries().scan(&bytes), []);
    drop(world);
    database.close().await.unwrap();
}

/// SMART 2.2 §Registering a client: the private key is protected from disclosure. A key we made lies sealed; in clear it
/// would show the object identifiers that every PKCS #8 form of it begins with.
#[tokio::test]
async fn the_database_file_holds_no_private_key_in_clear() {
    const EC_P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
    let database = TestDb::sqlite(MIGRATIONS).await.unwrap();
    let world = World::start(database.pool.clone(), 1, usual, Config::default()).await;
    let keys = world.client(ServiceName::LaunchAuth).public_keys(PublicKeysRequest {}).await.unwrap();
    assert!(keys.into_inner().jwks_json.contains("P-384"), "there is a key of ours");
    let bytes = bytes_of(database.folder().unwrap());
    assert!(bytes.windows(7).any(|w| w == b"general"), "the scan reads the database");
    for private in [EC_P384, b"PRIVATE KEY"] {
        assert!(!bytes.windows(private.len()).any(|w| w == private));
    }
    drop(world);
    database.close().await.unwrap();
}

#[tokio::test]
async fn the_audit_spool_holds_no_token() {
    each(|world| async move {
        live(&world).await;
        let records = format!("{:?}", world.records().await);
        let hits = canaries().scan(records.as_bytes());
        assert!(hits.iter().all(|hit| hit.canary == "user"), "{hits:?}");
    })
    .await;
}

#[tokio::test]
async fn metrics_hold_no_token_and_no_fingerprint_of_one() {
    each(|world| async move {
        live(&world).await;
        let text = world.vaults[0].metrics.render();
        assert!(
            text.contains("sallyport_vault_refreshes_total{outcome=\"success\",trigger=\"demand\"} 1"),
            "{text}"
        );
        assert_eq!(canaries().scan(text.as_bytes()), []);
    })
    .await;
}

#[tokio::test]
async fn refusals_hold_no_token() {
    each(|world| async move { live(&world).await }).await;
}

#[tokio::test]
async fn logs_and_spans_hold_no_token() {
    let sink = Sink::default();
    // With a single dispatcher, a span that another test's thread meets first would be switched off for all.
    let _second = tracing::Dispatch::new(registry().with(Sink::default()));
    let guard = tracing::subscriber::set_default(registry().with(sink.clone()));
    each(|world| async move { live(&world).await }).await;
    drop(guard);
    let text = sink.0.lock().unwrap().clone();
    assert!(text.contains("token-vault.refresh.run") && text.contains("egress.http.request"), "{text}");
    assert_eq!(canaries().scan(text.as_bytes()), []);
}

#[tokio::test]
async fn no_panic_carries_a_token() {
    let seen: Arc<Mutex<String>> = Arc::default();
    let log = Arc::clone(&seen);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        log.lock().unwrap().push_str(panic.payload_as_str().unwrap_or_default());
        before(panic);
    }));
    each(|world| async move { live(&world).await }).await;
    // Let go of the lock first: a failing assertion panics too.
    let seen = seen.lock().unwrap().clone();
    assert_eq!(canaries().scan(seen.as_bytes()), []);
}

/// Keeps every field of every span and event as text. On the one thread of its test.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<String>>);

impl Visit for &Sink {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let line = format!("{}={value:?} ", field.name());
        self.0.lock().unwrap().push_str(&line);
    }
}

impl<S: Subscriber> Layer<S> for Sink {
    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        self.0.lock().unwrap().push_str(span.metadata().name());
        span.record(&mut &*self);
    }

    fn on_record(&self, _: &span::Id, values: &span::Record<'_>, _: Context<'_, S>) {
        values.record(&mut &*self);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut &*self);
    }
}
