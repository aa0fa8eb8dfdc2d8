//! What this program is when the driver starts it again: an EHR, or the gateway.

pub(crate) mod bulk;
pub(crate) mod collector;
pub(crate) mod ehr;
pub(crate) mod gateway;
pub(crate) mod owners;

use std::net::SocketAddr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// What a role prints on one line of standard output as soon as it serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Serving {
    /// Where load goes.
    pub(crate) address: SocketAddr,
    /// Metrics, or where spans are sent; none for some roles.
    pub(crate) beside: Option<SocketAddr>,
}

impl Serving {
    #[expect(clippy::print_stdout, reason = "the driver reads it from the pipe")]
    fn announce(&self) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string(self).context("addresses are JSON")?);
        Ok(())
    }
}
