//! Knobs of backend services and of bulk export.

/// How a service without a person gets its token, and what export looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkRules {
    /// Lifetime of a token for a service, seconds.
    pub token_seconds: i64,
    /// Whether `scope` may be left out of the token request: then all registered `system/` scopes are granted.
    pub grants_without_asking: bool,
    /// Whether an export needs a `system/` scope for Group beside those for what it exports.
    pub needs_group_scope: bool,
    /// How long an export takes by the sandbox's clock, seconds.
    pub ready_seconds: i64,
    /// `Retry-After` of the status address, seconds.
    pub retry_after_seconds: i64,
    /// For how long the same group cannot be exported again, seconds.
    pub same_group_pause_seconds: Option<i64>,
    /// Whether a client may have one export only, until it deletes it.
    pub one_at_a_time: bool,
    /// Whether `_since` is understood; else it is refused.
    pub knows_since: bool,
    /// Whether `_type` may be repeated instead of joined with commas.
    pub repeats_type: bool,
    /// Where the files are.
    pub files: BulkFiles,
    /// Whether rows come twice.
    pub repeats_rows: bool,
    /// Status of a deletion.
    pub delete_status: u16,
}

/// Where the files of an export are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkFiles {
    /// Below the FHIR base, with the token.
    WithToken,
    /// Behind a redirect to a signed address, which refuses a token.
    Presigned,
}
