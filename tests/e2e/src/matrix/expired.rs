//! Sessions that ran out: nobody did anything, and nobody ended them.

use std::time::Duration;

use anyhow::{Context, ensure};
use sallyport::demo::{browser::Browser, ehr_launch};
use sallyport_model::ServiceName;
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::{
    asking::{Answer, Ask, Way},
    rows::EXPIRED,
    scene::{self, Launch},
};
use crate::world::World;

/// What may take this long is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two seconds without anybody doing anything, and it is over.
const CONFIG: &str = "[launch_auth]\nsession_idle_seconds = 2\n";

/// Every method that opens something by a session refuses one that ran out, whoever asks and by whichever way.
///
/// # Errors
/// Every cell that is not so.
pub async fn sessions_that_ran_out_open_nothing() -> anyhow::Result<usize> {
    let world = World::start_with(CONFIG).await?;
    let served = world.served();
    let patient = world.outside.patients().await?.into_iter().next().context("a patient")?;
    let mut browser = Browser::new();
    let launched = ehr_launch(&world.outside, &mut browser, &patient).await?;
    let mut gateway = scene::resolver(&served)?;
    let launch = scene::known(&browser, launched.launch, &world.outside.ready.app, &mut gateway).await?;
    let (pki, stop, mut serving) = (tempfile::tempdir()?, watch::Sender::new(false), JoinSet::new());
    let transports = scene::doors(&served, pki.path(), &stop, &mut serving).await?;
    run_out(&launch, &mut gateway).await?;

    let (mut wrong, mut cells) = (Vec::new(), 0);
    for row in EXPIRED {
        for (caller, way) in row.callers.iter().flat_map(|caller| Way::ALL.map(|way| (*caller, way))) {
            cells += 1;
            let transport = scene::transport(&served, &transports, way, caller, row.method)?;
            let ask: Ask = (row.ask)(&launch);
            let answer = Answer::over(transport, &ask, row.method).await?;
            if answer.code != "session.expired" {
                wrong.push(format!("{} by {} {way:?}: {}", row.method, caller.as_str(), answer.code));
            }
        }
    }
    world.stop().await?;
    serving.shutdown().await;
    ensure!(wrong.is_empty(), "{} of {cells} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(cells)
}

/// Asks until it is over; asking keeps nothing alive.
async fn run_out(launch: &Launch, gateway: &mut scene::Resolver) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while scene::resolve(gateway, &launch.id, &launch.secret).await.is_ok() {
        ensure!(Instant::now() < deadline, "the session never ran out");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// One method that opens something by a session.
pub(super) struct Opening {
    pub(super) method: &'static str,
    pub(super) callers: &'static [ServiceName],
    pub(super) ask: fn(&Launch) -> Ask,
}
