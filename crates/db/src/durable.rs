//! Whether a server keeps what it confirms.

use sqlx::PgConnection;

use crate::Error;

/// Refuses a server that would confirm commits it could lose.
///
/// # Errors
/// [`Error::NotDurable`] names the setting; driver errors.
pub(crate) async fn check(connection: &mut PgConnection) -> Result<(), Error> {
    let (fsync, commit): (String, String) =
        sqlx::query_as("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
            .fetch_one(connection)
            .await?;
    match settings(&fsync, &commit) {
        None => Ok(()),
        Some(setting) => Err(Error::NotDurable(setting)),
    }
}

/// The setting that is off.
pub(crate) fn settings(fsync: &str, commit: &str) -> Option<&'static str> {
    match (fsync, commit) {
        ("off", _) => Some("fsync"),
        (_, "off") => Some("synchronous_commit"),
        _ => None,
    }
}
