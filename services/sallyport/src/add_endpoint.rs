//! `sallyport add-endpoint URL`: discovers an EHR, shows what to pin and what to paste into its registration form, and
//! writes the tenant file.

pub(crate) mod discover;
mod tenant_file;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use sallyport_registry::Registry;

use crate::{cli::AddEndpointArgs, compose::DEFAULT_DATA_DIR, config::ConfigError};
use discover::Found;
use tenant_file::Plan;

/// Runs the command.
///
/// # Errors
/// When the EHR cannot be discovered, or the file would not be valid.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(args: AddEndpointArgs) -> anyhow::Result<ExitCode> {
    let found =
        discover::discover(&args.url, args.environment == "sandbox", args.capability_fallback).await?;
    let plan = Plan::new(&args, &found)?;
    let text = plan.file();
    let folder = args.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)).join("tenants");
    let path = folder.join(format!("{}.toml", plan.tenant));
    // What would be refused at start is refused here, before anything is written.
    let checked =
        Registry::from_texts(&[(path.clone(), text.clone())]).map_err(|e| ConfigError(e.to_string()))?;
    let entry = checked.entries().next().context("the file has no registration")?;
    let mut scopes: Vec<String> = entry
        .launch_features()
        .flat_map(|f| f.scopes().resources().map(|s| s.print(plan.dialect)).collect::<Vec<_>>())
        .collect();
    // What a launch asks for beside the features: the person's name where it is listed, a renewal where it is given.
    scopes.extend(found.smart.scopes.iter().find(|scope| *scope == "profile").cloned());
    if *entry.endpoint.behaviour.known().tokens.online_access {
        scopes.push("online_access".to_owned());
    }

    println!("{}", overview(&found));
    println!("{}", plan.registration_form(&scopes));
    println!("The tenant file, {}:\n\n{text}", path.display());
    if args.client_id.is_none() {
        println!(
            "No client id yet: register the app with the values above, then run this again with --client-id ID."
        );
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !confirmed(&path)? {
        println!("Nothing was written.");
        return Ok(ExitCode::SUCCESS);
    }
    create_private(&folder)?;
    if path.exists() {
        bail!("{} exists already: remove it first, or give --tenant another name", path.display());
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!(
        "Written. Restart Sallyport, then try a standalone launch: {}/launch/{}",
        plan.public_url, plan.registration
    );
    Ok(ExitCode::SUCCESS)
}

/// The data folder may not exist yet: whoever creates it first decides who can read it.
fn create_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot create {}", folder.display()))
}

fn overview(found: &Found) -> String {
    let mut out = String::from("What the EHR says of itself\n");
    let mut line = |name: &str, value: &str| out.push_str(&format!("  {name:<24} {value}\n"));
    line("found in", found.source);
    for (name, url) in found.smart.endpoints() {
        line(name, &url.origin().ascii_serialization());
    }
    line("issuer", found.smart.issuer.as_deref().unwrap_or("none: no OpenID Connect"));
    line("PKCE", &found.smart.code_challenge_methods.join(", "));
    line("client authentication", &found.smart.token_auth_methods.join(", "));
    line("capabilities", &found.smart.capabilities.join(", "));
    for warning in &found.warnings {
        line("attention", warning);
    }
    out
}

#[expect(clippy::print_stdout, reason = "a question to the person at the terminal")]
fn confirmed(path: &Path) -> anyhow::Result<bool> {
    print!("Write {}? The hosts above are pinned: nothing is ever sent elsewhere. [y/N] ", path.display());
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
