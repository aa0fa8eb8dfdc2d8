//! `sallyport console`: a link that signs somebody in at the console, once. Whoever runs the house may make one: they can read
//! everything in it anyway, and that they made it is recorded.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use sallyport_model::{ServiceName, operator::Role};
use sallyport_proto::{
    convert,
    launch::v1::{EndOperatorRequest, InviteRequest, operators_client::OperatorsClient},
};

use crate::{
    cli::{ConsoleArgs, Where},
    compose::DEFAULT_DATA_DIR,
    config,
    operate::refusal,
    operator,
    ready::Ready,
};

/// `sallyport console`.
///
/// # Errors
/// When no instance answers, or the person is refused.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
#[expect(
    clippy::print_stderr,
    reason = "standard output has the link alone, for whoever hands it on by a script"
)]
pub async fn run(args: ConsoleArgs) -> anyhow::Result<ExitCode> {
    let by = std::env::var("USER").ok().filter(|name| !name.is_empty());
    let by = by.unwrap_or_else(|| "operator".to_owned());
    let mut operators = OperatorsClient::new(operator::reach(&args.place, ServiceName::LaunchAuth).await?);
    let name = args.name.unwrap_or_else(|| by.clone());
    if args.end {
        let request =
            EndOperatorRequest { session_id: Vec::new(), name: name.clone(), by, reason: args.reason };
        let ended = operators.end_operator(request).await.map_err(|status| refusal(&status))?;
        println!("ended {} sessions of {name} at the console", ended.into_inner().ended);
        return Ok(ExitCode::SUCCESS);
    }
    let role = Role::parse(&args.role).with_context(|| {
        let known: Vec<_> = Role::ALL.into_iter().map(Role::as_str).collect();
        format!("there is no role {:?}; roles are {}", args.role, known.join(", "))
    })?;
    let lifetime_s =
        args.minutes.checked_mul(60).filter(|s| *s > 0).context("--minutes must be 1 to 1440")?;
    let request = InviteRequest {
        name,
        role: convert::role_number(role),
        all_tenants: args.tenant.is_empty(),
        tenants: args.tenant,
        lifetime_s,
        by,
        reason: args.reason,
    };
    let origin = origin(&args.place)?;
    let made = operators.invite(request).await.map_err(|status| refusal(&status))?.into_inner();
    println!("{origin}/console/sign-in?link={}", made.link_secret);
    eprintln!(
        "Signs in once, within {} minutes. Whoever has the link is that person: hand it on as you would a password.",
        args.minutes
    );
    Ok(ExitCode::SUCCESS)
}

/// The origin that browsers use.
fn origin(place: &Where) -> anyhow::Result<String> {
    let config = config::load(place.config.as_deref())?;
    let given = config.server.public_url.trim_end_matches('/');
    if !given.is_empty() {
        return Ok(given.to_owned());
    }
    let folder = place.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
    Ok(Ready::read(&Ready::path_in(&folder))?.app)
}
