//! The watch over a service's database: does it answer, is its schema what the program needs, does its clock agree
//! with ours. Looks on a connection of its own, so that a busy pool is not taken for a database that is away.

use std::{sync::Arc, time::Duration};

use sallyport_model::{Clock, Micros};
use sallyport_telemetry::metrics::{Gauge, Metrics};
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;

use crate::{Error, Handle, Migrations, Missing, Pool, durable, pool::Time};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a look may take before the database counts as away.
const LOOK_WAIT: Duration = Duration::from_secs(3);

/// Clocks further apart than this refuse: expiries, leases and signatures would mean nothing.
const MAX_SKEW_MICROS: Micros = 5 * 60 * 1_000_000;

/// What the watch needs.
pub struct Tending {
    /// What the schema must have.
    pub migrations: Migrations,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// Of this service ([`Metrics::for_service`]).
    pub metrics: Metrics,
    /// `true` ends it.
    pub shutdown: watch::Receiver<bool>,
}

/// What one look found.
struct Seen {
    /// The database's time.
    time: Micros,
    not_durable: Option<&'static str>,
}

struct Watch {
    pool: Pool,
    tending: Tending,
    connection: Option<PgConnection>,
    up: Gauge,
    skew: Gauge,
    was: Result<(), Missing>,
    /// A schema that cannot be prepared is logged once.
    has_told: bool,
}

impl Pool {
    /// Whether a service can work on this database, as [`Pool::tend`] last found it. Cheap; never waits.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self) -> Result<(), Missing> {
        self.state.ready()
    }

    /// Watches over the database until shutdown, and prepares its schema when that could not be done at the start.
    pub async fn tend(self, tending: Tending) {
        let mut shutdown = tending.shutdown.clone();
        let up = tending.metrics.gauge("sallyport_database_up", "1 while the database can be used.", &[]);
        let skew = tending.metrics.gauge(
            "sallyport_clock_skew_seconds",
            "How far this process's clock is ahead of its database's; beyond 300 the service refuses.",
            &[],
        );
        let was = self.ready();
        let mut watch = Watch { pool: self, tending, connection: None, up, skew, was, has_told: false };
        loop {
            tokio::select! {
                () = watch.look() => {}
                _over = shutdown.wait_for(|over| *over) => return,
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _over = shutdown.wait_for(|over| *over) => return,
            }
        }
    }
}

impl Watch {
    async fn look(&mut self) {
        let before = self.tending.clock.now();
        let seen = tokio::time::timeout(LOOK_WAIT, self.ask()).await;
        let state = Arc::clone(&self.pool.state);
        match seen {
            Ok(Ok(seen)) => {
                let after = self.tending.clock.now();
                // The server read its clock somewhere in between.
                let nearest = seen.time.clamp(before.min(after), after.max(before));
                let skew = nearest.saturating_sub(seen.time);
                state.answered(seen.not_durable.map(Missing::NotDurable));
                state.skewed(skew.saturating_abs() > MAX_SKEW_MICROS);
                self.skew.set(&[], skew / 1_000_000);
                if !state.is_prepared() && seen.not_durable.is_none() {
                    self.prepare().await;
                }
            }
            Ok(Err(_)) | Err(_) => {
                self.connection = None;
                state.answered(Some(Missing::Away));
            }
        }
        self.tell();
    }

    /// Tries again what could not be done at the start.
    async fn prepare(&mut self) {
        if let Err(error) = self.pool.migrate(self.tending.migrations).await
            && !error.is_unavailable()
            && !matches!(error, Error::MigrationsPending(_))
            && !std::mem::replace(&mut self.has_told, true)
        {
            tracing::error!(error.kind = "migration", "the database's schema cannot be prepared");
        }
    }

    /// Logs what changed, once.
    fn tell(&mut self) {
        let now = self.pool.ready();
        self.up.set(&[], i64::from(now.is_ok()));
        if now == self.was {
            return;
        }
        self.was = now;
        match now {
            Ok(()) => tracing::info!("the database can be used again"),
            Err(missing) => {
                let code = missing.code().as_str();
                tracing::error!(code, reason = missing.label(), "the database cannot be used");
            }
        }
    }

    async fn ask(&mut self) -> Result<Seen, Error> {
        let own = self.tending.clock.as_ref();
        let Handle::Postgres(pool) = self.pool.handle() else {
            self.pool.unguarded().ping().await?;
            let time = self.pool.stated_time(own).unwrap_or_else(|| own.now());
            return Ok(Seen { time, not_durable: None });
        };
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let options = (*pool.connect_options()).clone();
                none.insert(PgConnection::connect_with(&options).await?)
            }
        };
        let (time, fsync, commit): (Micros, String, String) = sqlx::query_as(concat!(
            "SELECT ",
            crate::server_now!(),
            ", current_setting('fsync'), current_setting('synchronous_commit')"
        ))
        .fetch_one(connection)
        .await?;
        let time = match &self.pool.time {
            Time::Server => time,
            Time::OfCaller => own.now(),
            Time::Stated(clock) => clock.now(),
        };
        Ok(Seen { time, not_durable: durable::settings(&fsync, &commit) })
    }
}
