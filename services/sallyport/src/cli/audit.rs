//! Commands about the audit log.

use std::path::PathBuf;

use super::Where;

/// Options of `audit`.
#[derive(clap::Args, Clone)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct AuditArgs {
    /// What to do with the whole log; without it, records are looked for.
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// What to look for.
    #[command(flatten)]
    pub query: AuditQueryArgs,
}

/// Options of `audit` without a command.
#[derive(clap::Args, Clone)]
pub struct AuditQueryArgs {
    /// The tenant. Always there without a command.
    #[arg(long, required = true)]
    pub tenant: Option<String>,
    /// Why you look: recorded beside the query. Always there without a command.
    #[arg(long, required = true)]
    pub reason: Option<String>,
    /// A patient's id at the EHR.
    #[arg(long)]
    pub patient: Option<String>,
    /// A launch handle.
    #[arg(long)]
    pub launch: Option<String>,
    /// A trace id.
    #[arg(long)]
    pub trace: Option<String>,
    /// Only the last minutes.
    #[arg(long)]
    pub minutes: Option<i64>,
    /// How they are shown. `lines` ends after 1,000 records, the others go on to the last.
    #[arg(long, value_enum, default_value = "lines")]
    pub format: FormatArg,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// How records are shown.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatArg {
    /// For people.
    Lines,
    /// FHIR R4 AuditEvents after IHE BALP, one a line and one per patient.
    Fhir,
    /// For spreadsheets.
    Csv,
}

/// What `audit` does with a whole log.
#[derive(clap::Subcommand, Clone)]
pub enum AuditCommand {
    /// Verify logs, of a running instance or from export files. 0: they are what was signed; 3: they are, and there is
    /// something to look at; 1: they are not.
    Verify(VerifyArgs),
    /// Write a tenant's log into a file that can be verified offline.
    Export(ExportArgs),
    /// Write the proof that a record is in the log, or that the log only grew since a checkpoint.
    Prove(ProveArgs),
    /// Tell to whom a patient's data was disclosed, when, what and for what. Looking is recorded.
    Disclosures(DisclosuresArgs),
    /// Check such a proof; needs no instance. 0: it holds; 1: it does not.
    Check(CheckArgs),
    /// Print the keys that sign the logs of a running instance, as verifiers are given them.
    Keys {
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
}

/// Whom a verification believes.
#[derive(clap::Args, Clone, Default)]
pub struct TrustArgs {
    /// The key that signs the log, as `audit keys` printed it when it was known to be good. One serves all tenants.
    #[arg(long)]
    pub key: Option<String>,
    /// The key of a witness who must have signed too; may be given again.
    #[arg(long)]
    pub witness_key: Vec<String>,
}

/// Options of `audit verify`.
#[derive(clap::Args, Clone, Default)]
pub struct VerifyArgs {
    /// Only this tenant's log. Gaps in spools show only when all logs of an instance are verified together.
    #[arg(long)]
    pub tenant: Option<String>,
    /// An export file instead of an instance; may be given again.
    #[arg(long)]
    pub export: Vec<PathBuf>,
    /// A checkpoint kept elsewhere, or a folder of them; may be given again.
    #[arg(long)]
    pub checkpoint: Vec<PathBuf>,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Why you look: recorded. Needed with a running instance.
    #[arg(long, required_unless_present = "export")]
    pub reason: Option<String>,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// Options of `audit export`.
#[derive(clap::Args, Clone)]
pub struct ExportArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// Why you look: recorded.
    #[arg(long)]
    pub reason: String,
    /// The file; it must not be there yet.
    #[arg(long)]
    pub out: PathBuf,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// Options of `audit disclosures`.
#[derive(clap::Args, Clone)]
pub struct DisclosuresArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// The patient's id at the EHR.
    #[arg(long)]
    pub patient: String,
    /// Why you look: recorded.
    #[arg(long)]
    pub reason: String,
    /// The first day, such as 2025-01-31, in UTC. Default: six years before the last.
    #[arg(long)]
    pub since: Option<jiff::civil::Date>,
    /// The last day. Default: now.
    #[arg(long)]
    pub until: Option<jiff::civil::Date>,
    /// How it is shown.
    #[arg(long, value_enum, default_value = "text")]
    pub format: DisclosuresFormat,
    /// The patient's own report: the same in plain words, without ids of systems.
    #[arg(long, conflicts_with = "format")]
    pub for_patient: bool,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// How disclosures are shown.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisclosuresFormat {
    /// A line each.
    Text,
    /// For spreadsheets.
    Csv,
    /// One JSON object a line: the period first, and how many at the end.
    Json,
}

/// Options of `audit prove`.
#[derive(clap::Args, Clone)]
pub struct ProveArgs {
    /// The record's id, a UUID.
    #[arg(required_unless_present = "since", conflicts_with = "since")]
    pub record: Option<String>,
    /// Which of its records: intent, outcome or event.
    #[arg(long, value_enum, default_value = "event")]
    pub phase: PhaseArg,
    /// A checkpoint file; prove that the log only grew since.
    #[arg(long)]
    pub since: Option<PathBuf>,
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// Why you look: recorded.
    #[arg(long)]
    pub reason: String,
    /// The file; it must not be there yet. Default: standard output.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// Which record of a call.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseArg {
    /// Before the EHR was called.
    Intent,
    /// How it ended.
    Outcome,
    /// Everything that is no call.
    Event,
}

/// Options of `audit check`.
#[derive(clap::Args, Clone)]
pub struct CheckArgs {
    /// The proof.
    pub file: PathBuf,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Options of `witness`.
#[derive(clap::Args, Clone)]
pub struct WitnessArgs {
    /// The witness's name in its signatures, such as witness.example.org/w1.
    #[arg(long)]
    pub name: String,
    /// The file with the witness's seed, 32 bytes, mode 0600; made where there is none.
    #[arg(long)]
    pub key_file: PathBuf,
    /// The folder where the witness keeps what it signed, on a disk of its own. Verifiers are given its files.
    #[arg(long)]
    pub state: PathBuf,
    /// The key that signs the logs, as `audit keys` printed it.
    #[arg(long)]
    pub log_key: String,
    /// Only this tenant's log; may be given again. Default: all of the instance.
    #[arg(long)]
    pub tenant: Vec<String>,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 60)]
    pub every_seconds: u64,
    /// Look once and end. 0: signed or nothing new; 1: something was refused.
    #[arg(long)]
    pub once: bool,
    /// Print the witness's own key and end.
    #[arg(long)]
    pub print_key: bool,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    fn read(line: &str) -> Option<Command> {
        Cli::try_parse_from(line.split(' ')).ok()?.command
    }

    #[test]
    fn a_question_names_tenant_and_reason_and_a_command_needs_neither() {
        let Some(Command::Audit(asked)) = read("sallyport audit --tenant t --reason r --data-dir d") else {
            panic!("a question is read")
        };
        assert!(asked.command.is_none());
        assert_eq!((asked.query.tenant.as_deref(), asked.query.reason.as_deref()), (Some("t"), Some("r")));
        assert!(read("sallyport audit --tenant t").is_none());
        assert!(read("sallyport audit").is_none());
        let Some(Command::Audit(command)) = read("sallyport audit keys") else { panic!("a command is read") };
        assert!(command.command.is_some());
    }
}
