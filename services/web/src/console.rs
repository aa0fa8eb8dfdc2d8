//! The operators' console: who runs the house sees how it does, what it did, and stops what must be stopped. Pages are whole
//! documents; forms ask once and say what they will do; without a session at the console nothing answers.

mod activity;
mod audit;
mod clients;
mod csv;
mod disclosures;
mod forms;
mod frame;
mod incident;
mod incidents;
mod jobs;
mod overview;
mod proof;
mod record;
mod reviews;
mod run;
mod seat;
mod sessions;
mod sign_in;
mod tenants;
mod words;

use axum::{
    Router,
    routing::{get, post},
};
use sallyport_rpc::Transport;

use crate::App;

pub(crate) use clients::Clients;

/// The services that the console's pages ask, each called as `web` in the name of whoever is signed in.
#[derive(Clone)]
pub struct ConsolePorts {
    /// Sessions, launches', operators' and incidents.
    pub launch_auth: Transport,
    /// The log.
    pub audit: Transport,
    /// Jobs; `None` where there is none.
    pub job_worker: Option<Transport>,
}

/// `/console/…`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/console", get(overview::show))
        .route("/console/sign-in", get(sign_in::ask).post(sign_in::sign_in))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/audit", get(audit::show))
        .route("/console/audit.csv", get(csv::download))
        .route("/console/audit/records/{id}", get(record::show))
        .route("/console/audit/records/{id}/unmask", post(record::unmask))
        .route("/console/audit/reviews", get(reviews::show).post(reviews::save))
        .route("/console/audit/disclosures", get(disclosures::ask).post(disclosures::tell))
        .route("/console/jobs", get(jobs::show))
        .route("/console/jobs/runs/{id}", get(run::show))
        .route("/console/jobs/runs/{id}/{action}", get(run::ask).post(run::act))
        .route("/console/jobs/start/{job}", get(jobs::ask_start).post(jobs::start))
        .route("/console/tenants", get(tenants::show))
        .route("/console/incidents", get(incidents::show))
        .route("/console/incidents/plan", post(incidents::plan))
        .route("/console/incidents/run", post(incidents::run))
        .route("/console/incidents/{id}", get(incident::show).post(incident::go_on))
        .route("/console/sessions", get(sessions::show).post(sessions::end))
        .route("/console/{*path}", get(overview::nothing_here))
}
