//! `sallyport jobs`: jobs and runs of a running instance, over its operators' door.

mod plan;
mod print;
mod watch;

use std::process::ExitCode;

use anyhow::Context;
use sallyport_model::{GrantId, RunId, ServiceName};
use sallyport_proto::{
    convert,
    jobs::v1::{
        ControlRequest, CountProposalsRequest, DryRunRequest, EraseRequest, GetRunRequest, KillRequest,
        ListDeadLettersRequest, ListJobsRequest, ListRunsRequest, ProposalCount, RedriveRequest, Run,
        StartRequest, jobs_client::JobsClient,
    },
    types::v1::User,
};
use sallyport_rpc::Transport;
use tonic::{Response, Status};
use uuid::Uuid;

use crate::{
    cli::{Because, JobsCommand, RunArgs, Where, WhoseArgs},
    operate::refusal,
    operator,
};

/// What `sallyport jobs proposals` prints.
pub fn proposals(counts: &[ProposalCount]) -> String {
    print::proposals(counts)
}

/// `sallyport jobs`.
///
/// # Errors
/// When no instance answers, or it refuses.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(command: JobsCommand) -> anyhow::Result<ExitCode> {
    match command {
        JobsCommand::List { tenant, place } => {
            let request = ListJobsRequest { tenant: tenant.unwrap_or_default() };
            let jobs = told(client(&place).await?.list_jobs(request).await)?.jobs;
            print!("{}", print::jobs(&jobs));
        }
        JobsCommand::Runs { tenant, job, limit, place } => {
            let (tenant, job) = (tenant.unwrap_or_default(), job.unwrap_or_default());
            let request = ListRunsRequest { tenant, job, limit };
            print!("{}", print::runs(&told(client(&place).await?.list_runs(request).await)?.runs));
        }
        JobsCommand::Proposals { tenant, place } => {
            let request = CountProposalsRequest { tenant: tenant.unwrap_or_default() };
            let counts = told(client(&place).await?.count_proposals(request).await)?.counts;
            print!("{}", print::proposals(&counts));
        }
        JobsCommand::Reconcile { run, withdraw, because } => reconcile(&run, withdraw, because).await?,
        JobsCommand::Show { run, watch, place } => {
            let request = GetRunRequest { run_id: run_bytes(&run)? };
            let mut client = client(&place).await?;
            let run = told(client.get_run(request).await)?;
            return shown(client, run, watch).await;
        }
        JobsCommand::DryRun { job, place } => {
            let request = DryRunRequest { tenant: job.tenant, job: job.job };
            let seen = told(client(&place).await?.dry_run(request).await)?;
            print!("{}", print::dry_run(&seen));
            return Ok(if seen.obstacles.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(3) });
        }
        JobsCommand::Start { job, grant, user, watch, because } => {
            let mut client = client(&because.place).await?;
            let request = StartRequest {
                tenant: job.tenant,
                job: job.job,
                by: by(),
                reason: because.reason,
                grant_id: grant.as_deref().map(grant_bytes).transpose()?.unwrap_or_default(),
                user: user.as_deref().and_then(user_of),
            };
            let run = told(client.start(request).await)?;
            return shown(client, run, watch).await;
        }
        JobsCommand::Pause(args) => control(args, Wish::Pause).await?,
        JobsCommand::Resume(args) => control(args, Wish::Resume).await?,
        JobsCommand::Stop(args) => control(args, Wish::Stop).await?,
        JobsCommand::Retry(args) => control(args, Wish::Retry).await?,
        JobsCommand::DeadLetters { tenant, run, place } => {
            let run_id = run.as_deref().map(run_bytes).transpose()?.unwrap_or_default();
            let request = ListDeadLettersRequest { tenant: tenant.unwrap_or_default(), run_id };
            let letters = told(client(&place).await?.list_dead_letters(request).await)?.letters;
            print!("{}", print::letters(&letters));
        }
        JobsCommand::ReDrive { run, letter, because } => redrive(&run, letter.as_deref(), because).await?,
        JobsCommand::Kill(args) => {
            let (mut client, request) = whose(args).await?;
            let stopped = told(client.kill(request).await)?.stopped;
            println!("stopped {stopped} runs; none starts until `sallyport jobs allow`");
        }
        JobsCommand::Allow(args) => {
            let (mut client, request) = whose(args).await?;
            let was_blocked = told(client.allow(request).await)?.was_blocked;
            println!("{}", if was_blocked { "runs may start again" } else { "nothing was blocked" });
        }
        JobsCommand::Erase { tenant, patient, endpoint, all: _, because } => {
            let request = EraseRequest {
                tenant,
                endpoint: endpoint.unwrap_or_default(),
                patient: patient.unwrap_or_default(),
                by: by(),
                reason: because.reason,
            };
            let erased = told(client(&because.place).await?.erase(request).await)?.results;
            println!("erased {erased} results");
        }
    }
    Ok(ExitCode::SUCCESS)
}

enum Wish {
    Pause,
    Resume,
    Stop,
    Retry,
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn control(args: RunArgs, wish: Wish) -> anyhow::Result<()> {
    let mut client = client(&args.because.place).await?;
    let request = ControlRequest { run_id: run_bytes(&args.run)?, by: by(), reason: args.because.reason };
    let answer = match wish {
        Wish::Pause => client.pause(request).await,
        Wish::Resume => client.resume(request).await,
        Wish::Stop => client.stop(request).await,
        Wish::Retry => client.retry(request).await,
    };
    print!("{}", print::run(&told(answer)?));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn redrive(run: &str, letter: Option<&str>, because: Because) -> anyhow::Result<()> {
    let letter_id = match letter {
        Some(text) => Uuid::try_parse(text).context("that is not a letter's id")?.as_bytes().to_vec(),
        None => Vec::new(),
    };
    let request = RedriveRequest { run_id: run_bytes(run)?, letter_id, by: by(), reason: because.reason };
    let redriven = told(client(&because.place).await?.redrive(request).await)?.redriven;
    println!("{redriven} items are tried again");
    Ok(())
}

/// Prints the plan; withdraws first where that was asked for, so that the plan says what is left.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn reconcile(run: &str, withdraw: bool, because: Because) -> anyhow::Result<()> {
    let mut client = client(&because.place).await?;
    let request = ControlRequest { run_id: run_bytes(run)?, by: by(), reason: because.reason };
    if withdraw {
        let withdrawn = told(client.withdraw_proposals(request.clone()).await)?.withdrawn;
        println!("withdrew {withdrawn} proposals");
    }
    print!("{}", plan::plan(&told(client.reconcile_run(request).await)?));
    Ok(())
}

async fn whose(args: WhoseArgs) -> anyhow::Result<(JobsClient<Transport>, KillRequest)> {
    let request = KillRequest {
        tenant: args.tenant.unwrap_or_default(),
        vendor: args.vendor.unwrap_or_default(),
        endpoint: args.endpoint.unwrap_or_default(),
        registration: args.registration.unwrap_or_default(),
        by: by(),
        reason: args.because.reason,
        ..KillRequest::default()
    };
    Ok((client(&args.because.place).await?, request))
}

/// Prints a run, or follows it to its end: 0 when every item was done, 3 when not.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn shown(client: JobsClient<Transport>, run: Run, follow: bool) -> anyhow::Result<ExitCode> {
    if !follow {
        print!("{}", print::run(&run));
        return Ok(ExitCode::SUCCESS);
    }
    let run = watch::follow(client, run).await?;
    let quarantined = run.progress.as_ref().map_or(0, |progress| progress.quarantined);
    Ok(if run.state == "done" && quarantined == 0 { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

async fn client(place: &Where) -> anyhow::Result<JobsClient<Transport>> {
    Ok(JobsClient::new(operator::reach(place, ServiceName::JobWorker).await?))
}

fn told<T>(answer: Result<Response<T>, Status>) -> anyhow::Result<T> {
    answer.map(Response::into_inner).map_err(|status| refusal(&status))
}

fn run_bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    let id = RunId::parse(text).context("that is not a run's id; `sallyport jobs runs` lists them")?;
    Ok(convert::id_bytes(id.uuid()))
}

fn grant_bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    Ok(convert::id_bytes(GrantId::parse(text).context("that is not a grant's id")?.uuid()))
}

fn user_of(pair: &[String]) -> Option<User> {
    let [issuer, subject] = pair else { return None };
    Some(User { issuer: issuer.clone(), subject: subject.clone(), fhir_user: String::new() })
}

fn by() -> String {
    std::env::var("USER").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "operator".to_owned())
}
