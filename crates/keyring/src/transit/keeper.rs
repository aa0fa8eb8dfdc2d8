//! The task that keeps the login: it alone logs in, renews, and says whether the server is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use vaultrs::client::VaultClient;

use super::{
    session::{self, Fault, Session},
    settings::TransitSettings,
};

/// Between two looks at a server that answers.
const PROBE: Duration = Duration::from_secs(2);

/// Shortest and longest pause between two looks at one that does not.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// How things stand.
#[derive(Clone)]
pub(super) enum Link {
    /// The first login is under way.
    Connecting,
    /// Logged in.
    Up {
        client: Arc<VaultClient>,
        /// Each login has another.
        number: u64,
        since: Instant,
    },
    /// No server, or none that lets us in.
    Down,
}

/// What calls and the task share.
pub(super) struct Shared {
    pub(super) settings: TransitSettings,
    pub(super) link: watch::Sender<Link>,
    /// Wakes the task to look at the server now.
    pub(super) look: Notify,
    /// The login that was refused last.
    refused: AtomicU64,
}

impl Shared {
    pub(super) fn new(settings: TransitSettings) -> Self {
        Self {
            settings,
            link: watch::Sender::new(Link::Connecting),
            look: Notify::new(),
            refused: AtomicU64::new(0),
        }
    }

    /// The server refused a call under this login: make another, unless that has happened already.
    pub(super) fn renounce(&self, number: u64) {
        self.refused.fetch_max(number, Ordering::SeqCst);
        self.look.notify_one();
    }
}

/// A login the task holds.
struct Held {
    session: Session,
    number: u64,
    since: Instant,
    due: Option<Instant>,
}

impl Held {
    fn new(session: Session, number: u64) -> Self {
        let since = Instant::now();
        Self { due: session.renew_after.map(|after| since + after), session, number, since }
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }
}

/// Keeps the login until the task is aborted.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut held: Option<Held> = None;
    let mut logins = 0;
    let mut pause = PAUSE.0;
    let mut failures = 0;
    loop {
        if held.as_ref().is_some_and(|h| h.number <= shared.refused.load(Ordering::SeqCst)) {
            held = None;
        }
        let outcome = match held.take() {
            None => session::login(&shared.settings).await.map(|session| {
                logins += 1;
                Held::new(session, logins)
            }),
            Some(old) if old.is_due() => match session::renew(&shared.settings, &old.session).await {
                Ok(new) if Arc::ptr_eq(&new.client, &old.session.client) => Ok(Held::new(new, old.number)),
                Ok(new) => {
                    logins += 1;
                    Ok(Held::new(new, logins))
                }
                Err(fault) => {
                    held = Some(old);
                    Err(fault)
                }
            },
            Some(old) => match session::probe(&old.session.client).await {
                Ok(()) => Ok(old),
                Err(fault) => {
                    held = Some(old);
                    Err(fault)
                }
            },
        };
        match outcome {
            Ok(up) => {
                announce(&shared, &up);
                (pause, failures) = (PAUSE.0, 0);
                let until = up.due.map_or(Instant::now() + PROBE, |due| due.min(Instant::now() + PROBE));
                held = Some(up);
                tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    () = shared.look.notified() => {}
                }
            }
            Err(fault) => {
                if matches!(fault, Fault::Denied | Fault::Rejected) {
                    held = None;
                }
                failures += 1;
                // One answer that is late is no outage while there is a login that may be good.
                if failures > 1 || held.is_none() {
                    complain(&shared, &fault);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
        }
    }
}

fn announce(shared: &Shared, up: &Held) {
    shared.link.send_if_modified(|link| match link {
        Link::Up { number, .. } if *number == up.number => false,
        other => {
            if !matches!(other, Link::Up { .. }) {
                tracing::info!("the key service is connected");
            }
            *other = Link::Up { client: Arc::clone(&up.session.client), number: up.number, since: up.since };
            true
        }
    });
}

fn complain(shared: &Shared, fault: &Fault) {
    let reason = match fault {
        Fault::Denied | Fault::Rejected => "refused",
        Fault::Away(_) => "away",
    };
    shared.link.send_if_modified(|link| {
        if matches!(link, Link::Down) {
            return false;
        }
        // Once per outage; the gauge and the readiness of the services say how long it lasts.
        tracing::warn!(reason, "the key service is not available");
        *link = Link::Down;
        true
    });
}
