//! `sallyport migrate`: the databases of all services brought up to date, before new versions of them start.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use sallyport_db::{Migrations, Pool};
use sallyport_model::ServiceName;

use crate::{
    cli::Where,
    compose::{DEFAULT_DATA_DIR, foundation},
    config,
};

/// Which service owns which schema.
pub(crate) fn schemas() -> [(ServiceName, Migrations); 5] {
    [
        (ServiceName::LaunchAuth, sallyport_launch_auth::MIGRATIONS),
        (ServiceName::TokenVault, sallyport_token_vault::MIGRATIONS),
        (ServiceName::FhirGateway, sallyport_fhir_gateway::MIGRATIONS),
        (ServiceName::JobWorker, sallyport_job_worker::MIGRATIONS),
        (ServiceName::Audit, sallyport_audit::migrations()),
    ]
}

/// Runs the command.
///
/// # Errors
/// When a database cannot be used, or a migration fails.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(place: Where) -> anyhow::Result<ExitCode> {
    let config = config::load(place.config.as_deref())?;
    let folder = place.data_dir.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
    for (service, migrations) in schemas() {
        let pool = match config.database.server()? {
            Some(url) => {
                let schema = foundation::schema(&config.database.schema_prefix, service);
                Pool::postgres(url.expose(), &schema, sallyport_db::Settings::default())
            }
            None => Pool::sqlite(&foundation::database_file(&folder, service)?).await,
        };
        let pool = pool.with_context(|| format!("the database of {} cannot be used", service.as_str()))?;
        let pending = pool.pending(migrations).await?;
        pool.apply(migrations)
            .await
            .with_context(|| format!("the migrations of {} cannot be applied", service.as_str()))?;
        println!("{:<12} {pending} applied, {} in all", service.as_str(), migrations.postgres.iter().count());
        pool.close().await;
    }
    Ok(ExitCode::SUCCESS)
}
