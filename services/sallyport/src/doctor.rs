//! `sallyport doctor`: looks at everything an instance stands on and says what to do about what is wrong. Changes nothing.

mod ehr;
mod house;
mod origin;
mod report;
mod servers;

use std::process::ExitCode;

use crate::{
    check,
    cli::Where,
    config::{self, ConfigError},
};
use report::Report;

/// Runs the command: 0 when nothing is wrong, 1 when something is.
///
/// # Errors
/// [`ConfigError`] when the configuration itself cannot be read.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(place: Where) -> anyhow::Result<ExitCode> {
    let config = config::load(place.config.as_deref())?;
    let mut report = Report::default();
    let registry = match check::tenants(&config, &place) {
        Ok(registry) => {
            let (tenants, entries) = (registry.tenants().len(), registry.entries().count());
            report.good("tenant files", format!("{tenants} tenants, {entries} registrations"));
            Some(registry)
        }
        Err(error) if error.is::<ConfigError>() => {
            report.bad("tenant files", error.to_string(), "correct the file that is named");
            None
        }
        Err(error) => return Err(error),
    };
    servers::look(&config, &mut report).await;
    house::look(&config, &mut report).await;
    if let Some(registry) = &registry {
        origin::look(&config, registry, &mut report).await;
        ehr::look(registry, &mut report).await;
    }
    print!("{}", report.text());
    Ok(if report.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
