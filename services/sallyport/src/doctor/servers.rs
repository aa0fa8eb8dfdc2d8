//! The servers behind the ports: database, broker, cache, key service, trace collector. What is embedded is said too.

use std::{path::Path, sync::Arc, time::Duration};

use sallyport_db::Pool;
use sallyport_keyring::KeyEncryptionKey;
use sallyport_model::{Clock, Secret, SystemClock};
use sallyport_telemetry::metrics::Metrics;
use tokio::time::timeout;

use super::report::Report;
use crate::{
    compose::{adapters, foundation},
    config::{Environment, File},
    migrate,
};

/// How long each server has to answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// Above this a database's clock and ours disagree too much to keep leases and tokens.
const MAX_SKEW: Duration = Duration::from_secs(300);

pub(super) async fn look(config: &File, report: &mut Report) {
    database(config, report).await;
    broker(config, report).await;
    cache(config, report).await;
    keys(config, report).await;
    collector(config, report).await;
}

async fn database(config: &File, report: &mut Report) {
    let url = match config.database.server() {
        Ok(Some(url)) => url,
        Ok(None) => return report.good("database", "SQLite files in the data folder"),
        Err(error) => return report.bad("database", error.to_string(), "correct [database]"),
    };
    for (service, migrations) in migrate::schemas() {
        let what = format!("database of {}", service.as_str());
        let schema = foundation::schema(&config.database.schema_prefix, service);
        let fix = "start PostgreSQL, correct database.url, or grant its role the schema; fsync and \
                   synchronous_commit must be on";
        let pool = match Pool::postgres(url.expose(), &schema, sallyport_db::Settings::default()) {
            Ok(pool) => pool,
            Err(error) => return report.bad(what, error.to_string(), fix),
        };
        match (pool.pending(migrations).await, pool.clock_skew(&SystemClock).await) {
            (Ok(_), Ok(skew)) if skew > MAX_SKEW => report.bad(
                what,
                format!("its clock is {} s from ours", skew.as_secs()),
                "let NTP set both clocks: leases and tokens depend on them",
            ),
            (Ok(0), Ok(_)) => report.good(what, format!("schema {schema} is there and current")),
            (Ok(pending), Ok(_)) if config.database.migrate_at_start => {
                report.good(what, format!("{pending} migrations will be applied at the next start"));
            }
            (Ok(pending), Ok(_)) => {
                report.bad(what, format!("{pending} migrations are missing"), "run sallyport migrate");
            }
            (Err(error), _) | (_, Err(error)) => report.bad(what, error.to_string(), fix),
        }
        pool.close().await;
    }
}

async fn broker(config: &File, report: &mut Report) {
    if matches!(config.queue.server(), Ok(None)) {
        return report.good("broker", "a queue in this process");
    }
    let fix = "start RabbitMQ, or correct queue.url (user, password and virtual host included)";
    match adapters::broker(config, &Metrics::new()) {
        Ok(Some(broker)) if until(|| broker.is_connected()).await => {
            report.good("broker", "RabbitMQ answers");
        }
        Ok(_) => report.bad("broker", "does not answer", fix),
        Err(error) => report.bad("broker", format!("{error:#}"), fix),
    }
}

async fn cache(config: &File, report: &mut Report) {
    if matches!(config.kv.server(), Ok(None)) {
        return report.good("cache", "this process's memory");
    }
    let fix = "start Redis, or correct kv.url; until then limits are counted per process, at half their rate";
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match adapters::kv(config, &clock, &Metrics::new()) {
        Ok(cache) => match timeout(PATIENCE, answers(cache.as_ref())).await {
            Ok(true) => report.good("cache", "Redis answers"),
            _ => report.warning("cache", "does not answer", fix),
        },
        Err(error) => report.bad("cache", format!("{error:#}"), fix),
    }
}

/// The first call may come before the connection.
async fn answers(cache: &dyn sallyport_kv::Kv) -> bool {
    loop {
        if cache.get("doctor").await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn keys(config: &File, report: &mut Report) {
    if config.keyring.address.is_empty() {
        return match config.environment {
            Environment::Sandbox => report.good("key service", "a key file in the data folder"),
            Environment::Production => report.bad(
                "key service",
                "a key file is refused in production",
                "set keyring.address to Vault or OpenBao",
            ),
        };
    }
    let fix = "check keyring.address, the role and its policy (encrypt, decrypt and rewrap on the key), and that it is unsealed";
    let kek = match adapters::kek(config, Path::new("")) {
        Ok(kek) => kek,
        Err(error) => return report.bad("key service", format!("{error:#}"), fix),
    };
    match timeout(PATIENCE, round_trip(kek.as_ref())).await {
        Ok(true) => report.good("key service", "wraps and unwraps"),
        _ => report.bad("key service", "does not wrap and unwrap", fix),
    }
}

/// Wraps and unwraps a throw-away key; the sign-in may take a moment.
async fn round_trip(kek: &dyn KeyEncryptionKey) -> bool {
    let sample = Secret::new(vec![7_u8; 32]);
    loop {
        if let Ok(wrapped) = kek.wrap(b"doctor", &sample).await {
            return kek
                .unwrap(b"doctor", &wrapped)
                .await
                .is_ok_and(|opened| opened.expose() == sample.expose());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn collector(config: &File, report: &mut Report) {
    let endpoint = &config.telemetry.otlp_endpoint;
    if endpoint.is_empty() {
        return report.good("trace collector", "none: spans are kept in the process");
    }
    let fix =
        "start the collector, or correct telemetry.otlp_endpoint; until then spans are lost, nothing else";
    let Some(place) = url::Url::parse(endpoint)
        .ok()
        .and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default().unwrap_or(4317))))
    else {
        return report.bad("trace collector", "telemetry.otlp_endpoint is not a URL", fix);
    };
    match timeout(PATIENCE, tokio::net::TcpStream::connect(&place)).await {
        Ok(Ok(_open)) => report.good("trace collector", format!("{place} takes connections")),
        _ => report.warning("trace collector", format!("{place} takes no connections"), fix),
    }
}

async fn until(check: impl Fn() -> bool) -> bool {
    let polled = async {
        while !check() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, polled).await.is_ok()
}
