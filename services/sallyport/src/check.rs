//! `sallyport config …`: the configuration looked at without starting anything.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use sallyport_model::{Clock, SystemClock};
use sallyport_registry::Registry;

use crate::{
    cli::{ConfigCommand, Where},
    compose::DEFAULT_DATA_DIR,
    config::{self, ConfigError, File},
};

/// Runs the command.
///
/// # Errors
/// [`ConfigError`] at the first fault.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub fn run(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Defaults => print!("{}", config::DEFAULTS),
        ConfigCommand::Check(place) => {
            let config = config::load(place.config.as_deref())?;
            let registry = tenants(&config, &place)?;
            registry.check_overrides(SystemClock.now()).map_err(ConfigError)?;
            for section in sections(&config) {
                section?;
            }
            sallyport_job_worker::check(&registry).map_err(ConfigError)?;
            for entry in registry.entries() {
                println!(
                    "{}: /launch/{} for {}",
                    entry.tenant.name, entry.registration.id, entry.endpoint.name
                );
            }
            for tenant in registry.tenants() {
                for job in &tenant.jobs {
                    println!(
                        "{}: job {}, a {} at stage {}",
                        tenant.name,
                        job.id,
                        job.kind.as_str(),
                        job.stage.as_str()
                    );
                }
            }
            println!("{} tenants, registry {}", registry.tenants().len(), registry.hash());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The tenants' files as a start would read them; without a folder, the built-in features alone.
///
/// # Errors
/// [`ConfigError`] at the first fault.
pub(crate) fn tenants(config: &File, place: &Where) -> anyhow::Result<Registry> {
    let folder = match config.registry.folder.as_str() {
        "" => place.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)).join("tenants"),
        given => PathBuf::from(given),
    };
    if folder.exists() {
        return Registry::load(&folder).map_err(|error| ConfigError(error.to_string()).into());
    }
    Registry::from_texts(&[]).context("the built-in features cannot be read")
}

/// What each section can say of itself: secret files readable, ranges kept.
fn sections(config: &File) -> [Result<(), ConfigError>; 8] {
    let named = |section: &str, result: Result<(), &'static str>| {
        result.map_err(|reason| ConfigError(format!("{section}: {reason}")))
    };
    [
        config.database.server().map(|_| ()),
        config.queue.server().map(|_| ()),
        config.kv.server().map(|_| ()),
        config.keyring.role_id().map(|_| ()),
        named("launch_auth", config.launch_auth.validate()),
        named("token_vault", config.token_vault.validate()),
        named("fhir_gateway", config.fhir_gateway.validate()),
        named("job_worker", config.job_worker.validate()),
    ]
}
