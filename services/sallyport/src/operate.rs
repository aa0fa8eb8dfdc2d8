//! The operators' smaller commands.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use sallyport_model::{Code, LaunchId, ServiceName};
use sallyport_proto::{
    convert,
    launch::v1::{RevokeRequest, launch_auth_client::LaunchAuthClient},
    types::v1::{Selector, User, selector::By},
};
use sallyport_rpc::code_of;

use crate::{
    cli::{RevokeArgs, SandboxArgs},
    demo::browser::Browser,
    dev_tenant, listen, operator,
};

/// How long a health address may take.
const HEALTH_PATIENCE: Duration = Duration::from_secs(3);

/// `sallyport sandbox`.
///
/// # Errors
/// When it cannot listen.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn sandbox(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    let listeners = listen::bind(&args.listen).await?;
    let origin = match &args.public {
        Some(public) => public.trim_end_matches('/').to_owned(),
        None => format!("http://{}:{}", listen::host(&args.listen), listen::port(&listeners)?),
    };
    if let Some(folder) = &args.tenant_dir {
        let (_, text) = dev_tenant::file(&origin, &args.profile)?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("sandbox.toml");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    dev_tenant::endpoints(&origin, &args.profile)?;
    let sandbox = sallyport_sandbox_ehr::build(sallyport_sandbox_ehr::Config {
        public_base: origin.clone(),
        seed: args.seed,
        patients: args.patients,
        import_dir: args.import,
        clients: vec![dev_tenant::client(&args.app)],
        allow_non_loopback: args.i_know_this_is_open_to_the_network,
        profile: args.profile.clone(),
        ..sallyport_sandbox_ehr::Config::default()
    })
    .await?;
    println!("The sandbox EHR is ready: {origin}/ (as {})", args.profile);
    let mut servers = tokio::task::JoinSet::new();
    for listener in listeners {
        let mut ending = crate::signals::Ending::listen()?;
        let stopped = async move { ending.asked().await };
        servers.spawn(sallyport_sandbox_ehr::serve(listener, sandbox.clone(), stopped));
    }
    while let Some(ended) = servers.join_next().await {
        ended??;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sallyport healthcheck`.
///
/// # Errors
/// When the address cannot be asked at all.
pub async fn healthcheck(url: &str) -> anyhow::Result<ExitCode> {
    let url = url::Url::parse(url).context("that is not a URL")?;
    let asked = tokio::time::timeout(HEALTH_PATIENCE, Browser::new().fetch(&url)).await;
    let page = asked.context("no answer in time")??;
    Ok(if page.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `sallyport revoke`.
///
/// # Errors
/// When no instance answers, or the selection is refused.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn revoke(args: RevokeArgs) -> anyhow::Result<ExitCode> {
    let by = match (args.launch, args.endpoint, args.user.as_deref(), args.all) {
        (Some(handle), None, None, false) => By::Launch(convert::id_bytes(LaunchId::parse(&handle)?.uuid())),
        (None, Some(endpoint), None, false) => By::Endpoint(endpoint),
        (None, None, Some([issuer, subject]), false) => {
            By::User(User { issuer: issuer.clone(), subject: subject.clone(), fhir_user: String::new() })
        }
        (None, None, None, true) => By::Tenant(args.tenant.clone()),
        _ => bail!("say exactly one of --launch, --endpoint, --user, --all"),
    };
    let transport = operator::reach(&args.place, ServiceName::LaunchAuth).await?;
    let request =
        RevokeRequest { tenant: args.tenant, selector: Some(Selector { by: Some(by) }), reason: args.reason };
    let answer = LaunchAuthClient::new(transport).revoke(request).await;
    let answer = answer.map_err(|status| refusal(&status))?.into_inner();
    println!("ended {} launches and withdrew {} grants", answer.launches, answer.grants);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn refusal(status: &tonic::Status) -> anyhow::Error {
    let code = code_of(status);
    anyhow::anyhow!("{} {} ({code})", code.sentence(), code.next_step())
}

/// `sallyport explain`.
///
/// # Errors
/// When there is no such code.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub fn explain(code: &str) -> anyhow::Result<ExitCode> {
    let code =
        Code::parse(code).with_context(|| "there is no such code; codes look like launch.issuer_unknown")?;
    println!("{code} (HTTP {})\n  {}\n  {}", code.kind().http(), code.sentence(), code.next_step());
    Ok(ExitCode::SUCCESS)
}
