//! Scenarios that tests and their planted-bug twins share: `Ok` means the property held.

mod bad_input;
mod care_gaps;
mod console;
mod incidents;
mod leaks;
mod proposals;
mod tabs;

pub use bad_input::bad_input_meets_one_clear_error_each;
pub use care_gaps::each_chart_shows_its_own_patients_care_gaps;
pub use console::{console_holds, the_console_shows_the_log_without_patients_until_somebody_says_why};
pub use incidents::an_incident_ends_what_it_covers_and_its_report_verifies;
pub use leaks::{Found, no_canary_in_any_sink};
pub use proposals::an_approval_clicked_five_times_with_the_network_cut_is_one_record;
pub use tabs::two_tabs_never_mix;

use crate::world::World;

/// The demonstration's story, line by line.
///
/// # Errors
/// The lines that failed.
pub async fn one_launch_holds() -> anyhow::Result<()> {
    let world = World::start().await?;
    let story = sallyport::demo::tell(&world.outside.ready).await;
    world.stop().await?;
    let story = story?;
    let failed: Vec<String> =
        story.lines.iter().filter(|l| !l.ok).map(|l| format!("{}: {}", l.step, l.seen)).collect();
    anyhow::ensure!(story.is_whole(), "{failed:#?}");
    Ok(())
}
