//! Commands that ask a running instance.

use super::Where;

/// Options of `probe`.
#[derive(clap::Args, Clone)]
pub struct ProbeArgs {
    /// The endpoint's id, as in the tenant's file.
    pub endpoint: String,
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// Why: recorded. Not needed with --last.
    #[arg(long, required_unless_present = "last")]
    pub reason: Option<String>,
    /// Tell what is known and call nobody.
    #[arg(long)]
    pub last: bool,
    /// With --last: changes of so many days.
    #[arg(long, default_value_t = 30)]
    pub days: i64,
    /// Print one JSON document, with everything that was seen.
    #[arg(long)]
    pub json: bool,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// Options of `console`.
#[derive(clap::Args, Clone)]
pub struct ConsoleArgs {
    /// For whom: the name that pages and records show. Default: who runs this command.
    #[arg(long)]
    pub name: Option<String>,
    /// As what: viewer, operator, auditor or security (docs/CONSOLE.md says what each may do).
    #[arg(long, default_value = "security")]
    pub role: String,
    /// For which tenant; again for more. Default: all.
    #[arg(long)]
    pub tenant: Vec<String>,
    /// How long the link can be used; at most a day.
    #[arg(long, default_value_t = 10)]
    pub minutes: i32,
    /// Why: recorded.
    #[arg(long, default_value = "a link to the console")]
    pub reason: String,
    /// End every session of that name, and its unused links, instead of making a link.
    #[arg(long, requires = "name", conflicts_with_all = ["role", "tenant", "minutes"])]
    pub end: bool,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// Options of `revoke`.
#[derive(clap::Args, Clone)]
pub struct RevokeArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: String,
    /// Why: recorded.
    #[arg(long)]
    pub reason: String,
    /// One launch, by its handle.
    #[arg(long)]
    pub launch: Option<String>,
    /// Everything of an endpoint.
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Everything of a user, as ISSUER and SUBJECT.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
    pub user: Option<Vec<String>>,
    /// Everything of the tenant.
    #[arg(long)]
    pub all: bool,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// What `keys` does.
#[derive(clap::Subcommand)]
pub enum KeysCommand {
    /// Print versions, and how much is still under old ones.
    Status {
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
    /// Make a new key-encryption key version and new data keys, and move everything to them while calls go on.
    Rotate(RotateArgs),
}

/// Options of `keys rotate`.
#[derive(clap::Args, Clone)]
pub struct RotateArgs {
    /// Why: recorded.
    #[arg(long)]
    pub reason: String,
    /// Keep the key-encryption key's version.
    #[arg(long)]
    pub only_data_keys: bool,
    /// Keep the data keys; they are wrapped anew.
    #[arg(long, conflicts_with = "only_data_keys")]
    pub only_key_encryption_key: bool,
    /// Replace data keys that cannot be opened any more: what they sealed is given up, and everybody launches again.
    #[arg(long)]
    pub replace_lost: bool,
    /// Which instance.
    #[command(flatten)]
    pub place: Where,
}

/// What `tokens` does.
#[derive(clap::Subcommand)]
pub enum TokensCommand {
    /// Ask the EHR what it thinks of a grant's access token (RFC 7662).
    Introspect {
        /// The tenant.
        #[arg(long)]
        tenant: String,
        /// The grant's id, as audit records hold it.
        #[arg(long)]
        grant: String,
        /// Which instance.
        #[command(flatten)]
        place: Where,
    },
}
