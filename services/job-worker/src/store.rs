//! The rows of runs, batches and what they leave, one SQL text for both databases. Rows stay private to this module and become
//! states that cannot be wrong.

mod batches;
mod blocks;
mod control;
mod effects;
mod exports;
mod fenced;
mod holds;
mod leases;
mod outbox;
mod proposals;
mod quarantine;
mod results;
mod runs;
mod views;

use std::sync::Arc;

use sallyport_db::{Migrations, Pool};
use sallyport_model::{Clock, Micros};

pub(crate) use batches::NewBatch;
pub(crate) use blocks::Blockable;
pub(crate) use control::{Change, Place};
pub(crate) use effects::{PLAN_MAX, ProposalEffect};
pub(crate) use exports::{
    EndedExport, ExportRow, FileKey, FileRow, NewExport, NewFile, begin_export, end_export,
    export_failed_once, export_is, file_is, file_listed, line_withheld,
};
pub(crate) use fenced::{Ending, add, advance, checkpoint, count_calls, end, planned, set_aside};
pub(crate) use leases::Lease;
pub(crate) use outbox::Window;
pub(crate) use proposals::{End, Made, NewProposal, Proposal, State, Unfinished, propose, withdraw};
pub(crate) use quarantine::Letter;
pub(crate) use results::{Kept, keep};
pub(crate) use runs::{NewRun, RunRow};

/// Both folders of migrations.
pub const MIGRATIONS: Migrations = Migrations {
    sqlite: &sqlx::migrate!("migrations/sqlite"),
    postgres: &sqlx::migrate!("migrations/postgres"),
};

/// This service's database.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) pool: Pool,
    clock: Arc<dyn Clock>,
}

impl Store {
    /// Over a migrated pool.
    pub(crate) fn new(pool: Pool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock }
    }

    /// What to bind for the time that leases go by: the database's, so that replicas with different clocks agree
    /// (docs/adr/0023).
    fn lease_time(&self) -> Option<Micros> {
        self.pool.stated_time(self.clock.as_ref())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_databases_have_the_same_migrations() {
        sallyport_db::assert_twins(super::MIGRATIONS);
    }
}
