//! `sallyport jobs …`.

use super::Where;

/// Who says so, and why: both are recorded.
#[derive(clap::Args, Clone)]
pub struct Because {
    /// Why: recorded.
    #[arg(long)]
    pub reason: String,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// A run and why something is done to it.
#[derive(clap::Args, Clone)]
pub struct RunArgs {
    /// The run's id.
    pub run: String,
    /// Who and why.
    #[command(flatten)]
    pub because: Because,
}

/// A job of a tenant.
#[derive(clap::Args, Clone)]
pub struct JobArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// The job's id.
    pub job: String,
}

/// Whose jobs.
#[derive(clap::Args, Clone)]
pub struct WhoseArgs {
    /// All of a tenant.
    #[arg(long, conflicts_with_all = ["vendor", "registration"], required_unless_present_any = ["vendor", "registration"])]
    pub tenant: Option<String>,
    /// All at endpoints of a vendor.
    #[arg(long, conflicts_with = "registration")]
    pub vendor: Option<String>,
    /// Of the tenant only those at this endpoint.
    #[arg(long, requires = "tenant")]
    pub endpoint: Option<String>,
    /// All of a registration.
    #[arg(long)]
    pub registration: Option<String>,
    /// Who and why.
    #[command(flatten)]
    pub because: Because,
}

/// What `jobs` does.
#[derive(clap::Subcommand)]
pub enum JobsCommand {
    /// Jobs with their last run and next start.
    List {
        /// Only of this tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
    /// The newest runs.
    Runs {
        /// Only of this tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// Only of this job.
        #[arg(long)]
        job: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: i32,
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
    /// What became of what jobs proposed: counts, no patient.
    Proposals {
        /// Only of this tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
    /// What a run has had for effects, and how each could be taken back. Changes nothing by itself.
    Reconcile {
        /// The run's id.
        run: String,
        /// Withdraw what it proposed and nobody has decided on.
        #[arg(long)]
        withdraw: bool,
        /// Who and why.
        #[command(flatten)]
        because: Because,
    },
    /// One run, with its progress.
    Show {
        /// The run's id.
        run: String,
        /// Go on until it is over.
        #[arg(long)]
        watch: bool,
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
    /// What a run would do: calls, time, scopes. Nothing is read.
    DryRun {
        /// Which.
        #[command(flatten)]
        job: JobArgs,
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
    /// Start a run.
    Start {
        /// Which.
        #[command(flatten)]
        job: JobArgs,
        /// For a job with identity "offline": the user's grant, as audit records hold it.
        #[arg(long, requires = "user")]
        grant: Option<String>,
        /// Whose grant it is, as ISSUER and SUBJECT.
        #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"], requires = "grant")]
        user: Option<Vec<String>>,
        /// Go on until it is over.
        #[arg(long)]
        watch: bool,
        /// Who and why.
        #[command(flatten)]
        because: Because,
    },
    /// Let a run rest.
    Pause(RunArgs),
    /// Go on with a paused run.
    Resume(RunArgs),
    /// End a run before its end; its checkpoints stay.
    Stop(RunArgs),
    /// Go on with a stopped run from its checkpoints.
    Retry(RunArgs),
    /// Items that could not be done.
    DeadLetters {
        /// Only of this tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// Only of this run.
        #[arg(long)]
        run: Option<String>,
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
    /// Try items again that could not be done.
    ReDrive {
        /// The run's id.
        run: String,
        /// Only this one.
        #[arg(long)]
        letter: Option<String>,
        /// Who and why.
        #[command(flatten)]
        because: Because,
    },
    /// Stop every run of a tenant, an endpoint, a vendor or a registration, and keep new ones from starting.
    Kill(WhoseArgs),
    /// Let runs start again after `kill`.
    Allow(WhoseArgs),
    /// Remove what crawls have kept of a tenant, or of one patient.
    Erase {
        /// The tenant.
        #[arg(long)]
        tenant: String,
        /// A patient's id at `--endpoint`; without it everything of the tenant goes.
        #[arg(long, requires = "endpoint")]
        patient: Option<String>,
        /// The endpoint whose id it is.
        #[arg(long, requires = "patient")]
        endpoint: Option<String>,
        /// Everything of the tenant.
        #[arg(long, conflicts_with = "patient", required_unless_present = "patient")]
        all: bool,
        /// Who and why.
        #[command(flatten)]
        because: Because,
    },
}
