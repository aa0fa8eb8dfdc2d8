//! `sallyport incident`: everything of a scope is revoked, and what was done is kept as a signed report. Each step can be
//! done again; what is stored at launch-auth says how far it is, so that the command may die at any moment.

mod print;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use sallyport_model::{LaunchId, ServiceName};
use sallyport_proto::{
    audit::v1::{SignReportRequest, audit_client::AuditClient},
    convert,
    jobs::v1::{KillRequest, jobs_client::JobsClient},
    launch::v1::{
        CloseIncidentRequest, Incident, IncidentScope, IncidentTarget, ListIncidentsRequest,
        PlanIncidentRequest, RunIncidentRequest, close_incident_request::Jobs, incident_scope::What,
        incidents_client::IncidentsClient,
    },
    types::v1::User,
};
use sallyport_rpc::Transport;
use uuid::Uuid;

use crate::{
    cli::{IncidentCommand, IncidentRevokeArgs, IncidentScopeArgs, Where},
    operate::refusal,
    operator,
};

/// The services that an incident is about.
#[derive(Clone)]
pub struct House {
    /// launch-auth.
    pub launches: Transport,
    /// job-worker.
    pub jobs: Transport,
    /// audit.
    pub audit: Transport,
}

impl House {
    async fn reach(place: &Where) -> anyhow::Result<Self> {
        Ok(Self {
            launches: operator::reach(place, ServiceName::LaunchAuth).await?,
            jobs: operator::reach(place, ServiceName::JobWorker).await?,
            audit: operator::reach(place, ServiceName::Audit).await?,
        })
    }
}

/// `sallyport incident`.
///
/// # Errors
/// When no instance answers, the scope is refused, or a part could not be done: then the same command goes on with it.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(command: IncidentCommand) -> anyhow::Result<ExitCode> {
    match command {
        IncidentCommand::Revoke(args) => {
            let house = House::reach(&args.place).await?;
            let scope = scope(&args)?;
            if args.dry_run {
                let (plan, runs) = plan(&house, scope).await?;
                print!("{}", print::plan(&plan, &runs));
                return Ok(ExitCode::SUCCESS);
            }
            let asked = RunIncidentRequest {
                incident_id: Vec::new(),
                scope: Some(scope),
                operator: asker(),
                reason: args.reason,
            };
            finished(&house, asked, args.report.as_deref()).await
        }
        IncidentCommand::Resume { incident, report, place } => {
            let id = Uuid::parse_str(&incident).context("that is no id of an incident")?;
            let asked = RunIncidentRequest {
                incident_id: convert::id_bytes(id),
                operator: asker(),
                ..RunIncidentRequest::default()
            };
            finished(&House::reach(&place).await?, asked, Some(&report)).await
        }
        IncidentCommand::List { place } => {
            let transport = operator::reach(&place, ServiceName::LaunchAuth).await?;
            let answer = IncidentsClient::new(transport).list(ListIncidentsRequest {}).await;
            for incident in answer.map_err(|status| refusal(&status))?.into_inner().incidents {
                println!("{}", print::listed(&incident));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn finished(
    house: &House,
    asked: RunIncidentRequest,
    report: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let opened = open(house, asked).await?;
    println!("incident {}: sessions are ended", print::id(&opened));
    let (closed, note) = close(house, opened).await?;
    let path = report
        .map_or_else(|| PathBuf::from(format!("incident-{}.report", print::id(&closed))), Path::to_owned);
    let mut file = std::fs::File::create_new(&path).with_context(|| {
        format!(
            "everything is revoked, but cannot make {}; `sallyport incident resume` writes the report again",
            path.display()
        )
    })?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    print!("{}", print::outcome(&closed));
    println!("signed report: {}", path.display());
    Ok(if is_left(&closed) { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// What an incident of that scope would hit, with the open job runs of each part.
///
/// # Errors
/// When a service does not answer or the scope is refused.
pub async fn plan(house: &House, scope: IncidentScope) -> anyhow::Result<(Incident, Vec<i64>)> {
    let request = PlanIncidentRequest { scope: Some(scope) };
    let answer = IncidentsClient::new(house.launches.clone()).plan(request).await;
    let plan = answer.map_err(|status| refusal(&status))?.into_inner();
    let mut runs = Vec::new();
    for part in &plan.targets {
        runs.push(stop(house, part, &Stop { reason: "a dry run", since: 0, is_dry: true }).await?);
    }
    Ok((plan, runs))
}

/// Opens an incident or goes on with it: sessions and grants.
///
/// # Errors
/// When launch-auth does not answer or refuses, or something is left to do there.
pub async fn open(house: &House, asked: RunIncidentRequest) -> anyhow::Result<Incident> {
    let answer = IncidentsClient::new(house.launches.clone()).run(asked).await;
    Ok(answer.map_err(|status| refusal(&status))?.into_inner())
}

/// Stops the job runs, closes the incident and has its report signed. Gives the report as a signed note.
///
/// # Errors
/// When a service does not answer: the incident stays open and is gone on with.
pub async fn close(house: &House, opened: Incident) -> anyhow::Result<(Incident, String)> {
    let reason = format!("incident {}", print::id(&opened));
    let mut jobs = Vec::new();
    if opened.closed_at == 0 {
        for part in &opened.targets {
            let how = Stop { reason: &reason, since: opened.opened_at, is_dry: false };
            jobs.push(Jobs { position: part.position, stopped: stop(house, part, &how).await? });
        }
    }
    let request = CloseIncidentRequest { incident_id: opened.incident_id, jobs };
    let answer = IncidentsClient::new(house.launches.clone()).close(request).await;
    let closed = answer.map_err(|status| refusal(&status))?.into_inner();
    let request = SignReportRequest { body: closed.report.clone(), operator: asker(), reason };
    let signed = AuditClient::new(house.audit.clone()).sign_report(request).await;
    Ok((closed, signed.map_err(|status| refusal(&status))?.into_inner().note))
}

struct Stop<'a> {
    reason: &'a str,
    since: i64,
    is_dry: bool,
}

/// Stops the runs of a part and keeps new ones from starting; or counts them. Batches of a stopped run are not begun.
async fn stop(house: &House, part: &IncidentTarget, how: &Stop<'_>) -> anyhow::Result<i64> {
    let Some(request) = convert::runs_of(part) else { return Ok(0) };
    let request = KillRequest {
        by: asker(),
        reason: how.reason.to_owned(),
        dry_run: how.is_dry,
        since: how.since,
        ..request
    };
    let answer = JobsClient::new(house.jobs.clone()).kill(request).await;
    let stopped = answer.map_err(|status| refusal(&status))?.into_inner();
    Ok(if how.is_dry { stopped.stopped } else { stopped.stopped_since })
}

/// Whether an EHR still honours something.
pub(crate) fn is_left(incident: &Incident) -> bool {
    let grants = incident.targets.iter().filter_map(|part| part.grants.as_ref());
    grants.map(|g| g.pending + g.failed + g.not_offered).any(|left| left > 0)
}

fn scope(args: &IncidentRevokeArgs) -> anyhow::Result<IncidentScope> {
    let IncidentScopeArgs { launch, user, all, endpoint, vendor, registration, app } = args.scope.clone();
    let what = match (launch, user.as_deref(), endpoint, vendor, registration, app) {
        (Some(handle), ..) => What::Launch(convert::id_bytes(LaunchId::parse(&handle)?.uuid())),
        (_, Some([issuer, subject]), ..) => {
            What::User(User { issuer: issuer.clone(), subject: subject.clone(), fhir_user: String::new() })
        }
        (_, _, Some(name), ..) => What::Endpoint(name),
        (_, _, _, Some(name), ..) => What::Vendor(name),
        (_, _, _, _, Some(name), _) => What::Registration(name),
        (_, _, _, _, _, Some(name)) => What::App(name),
        _ if all => What::All(true),
        _ => bail!("say what the incident covers"),
    };
    Ok(IncidentScope { tenant: args.tenant.clone().unwrap_or_default(), what: Some(what) })
}

/// Who asks, for the record.
fn asker() -> String {
    std::env::var("USER").unwrap_or_else(|_unset| "operator".to_owned())
}
