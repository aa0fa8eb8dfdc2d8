//! Commands about incidents.

use std::path::PathBuf;

use super::Where;

/// What `incident` does.
#[derive(clap::Subcommand)]
pub enum IncidentCommand {
    /// Revoke everything of a scope: sessions, grants here and at the EHR, job runs. Asked again after any failure it goes
    /// on. 0: all of it, also at the EHR; 3: done here, and the report says what the EHR still honours.
    Revoke(IncidentRevokeArgs),
    /// Go on with an incident, or write the report of a closed one again.
    Resume {
        /// Its id.
        incident: String,
        /// Where the signed report is written; the file must not be there yet.
        #[arg(long)]
        report: PathBuf,
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
    /// The newest incidents.
    List {
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
}

/// What an incident covers: exactly one.
#[derive(clap::Args, Clone, Default)]
#[group(required = true, multiple = false)]
pub struct IncidentScopeArgs {
    /// One launch, by its handle.
    #[arg(long)]
    pub launch: Option<String>,
    /// Everything of a user, as ISSUER and SUBJECT.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
    pub user: Option<Vec<String>>,
    /// Everything of the tenant.
    #[arg(long)]
    pub all: bool,
    /// Everything at an endpoint.
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Everything at endpoints of a vendor; without `--tenant`, of every tenant.
    #[arg(long)]
    pub vendor: Option<String>,
    /// Everything of a registration: its key or secret is in wrong hands.
    #[arg(long)]
    pub registration: Option<String>,
    /// Everything of an app entry: each registration that opens it.
    #[arg(long)]
    pub app: Option<String>,
}

/// Options of `incident revoke`.
#[derive(clap::Args, Clone)]
pub struct IncidentRevokeArgs {
    /// The tenant.
    #[arg(long, required_unless_present = "vendor")]
    pub tenant: Option<String>,
    /// What it covers.
    #[command(flatten)]
    pub scope: IncidentScopeArgs,
    /// Why: recorded, and in the report.
    #[arg(long)]
    pub reason: String,
    /// Say what would be hit, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Where the signed report is written; the file must not be there yet. Default: incident-ID.report here.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    fn is_read(line: &str) -> bool {
        Cli::try_parse_from(line.split(' '))
            .is_ok_and(|cli| matches!(cli.command, Some(Command::Incident(_))))
    }

    #[test]
    fn a_scope_is_exactly_one_thing_of_a_tenant_or_a_vendor_everywhere() {
        assert!(is_read("sallyport incident revoke --tenant t --endpoint e --reason r"));
        assert!(is_read("sallyport incident revoke --tenant t --all --reason r --dry-run"));
        assert!(is_read("sallyport incident revoke --vendor v --reason r"));
        assert!(!is_read("sallyport incident revoke --tenant t --reason r"), "empty is not all");
        assert!(!is_read("sallyport incident revoke --tenant t --endpoint e --all --reason r"));
        assert!(!is_read("sallyport incident revoke --endpoint e --reason r"));
        assert!(!is_read("sallyport incident revoke --tenant t --endpoint e"));
    }
}
