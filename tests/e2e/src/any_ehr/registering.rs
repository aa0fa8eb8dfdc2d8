//! Registering an EHR as an operator does: `sallyport add-endpoint` into the data folder, then the app's own values
//! into the EHR's registration form.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use sallyport::{add_endpoint, cli::AddEndpointArgs};
use url::Url;

use super::foreign::{Client, Foreign, Proof};

/// The values of a registration at `url` as the tenant `tenant`, public, generic, in a sandbox.
pub fn values(folder: &Path, url: &str, tenant: &str) -> AddEndpointArgs {
    AddEndpointArgs {
        url: url.to_owned(),
        client_id: Some(client_id(tenant)),
        auth: "public".to_owned(),
        secret_file: None,
        algorithm: None,
        tenant: Some(tenant.to_owned()),
        registration: None,
        environment: "sandbox".to_owned(),
        vendor: "generic".to_owned(),
        frame_ancestor: Vec::new(),
        public_url: "http://localhost:8080".to_owned(),
        capability_fallback: false,
        yes: true,
        data_dir: Some(folder.join("data")),
    }
}

/// Our id at that tenant's EHR.
pub fn client_id(tenant: &str) -> String {
    format!("app at {tenant}")
}

/// Runs the command; the tenant file that it wrote.
///
/// # Errors
/// When the command refuses, or wrote nothing.
pub async fn add(args: AddEndpointArgs) -> anyhow::Result<PathBuf> {
    let tenant = args.tenant.clone().unwrap_or_default();
    let folder = args.data_dir.clone().unwrap_or_default().join("tenants");
    add_endpoint::run(args).await?;
    let file = folder.join(format!("{tenant}.toml"));
    ensure!(file.is_file(), "the command wrote no tenant file");
    Ok(file)
}

/// A file with a client secret.
///
/// # Errors
/// When it cannot be written.
pub fn secret_file(folder: &Path, tenant: &str, secret: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{tenant}.secret"));
    std::fs::write(&path, format!("{secret}\n"))?;
    Ok(path)
}

/// Fills in the EHR's form with what the command printed.
pub fn fill_in(ehr: &Foreign, app: &str, tenant: &str, proof: Proof) {
    ehr.register(Client { id: client_id(tenant), redirect_uri: format!("{app}/callback/{tenant}"), proof });
}

/// Where the app publishes its keys.
///
/// # Errors
/// Never with an app's address that is one.
pub fn keys_of(app: &str) -> anyhow::Result<Url> {
    Ok(Url::parse(&format!("{app}/.well-known/jwks.json"))?)
}
