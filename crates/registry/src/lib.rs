//! The tenants' files: endpoints, client registrations, app entries, features and their scopes, policies.
//!
//! Everything is refused at load time that could not be decided later: unknown keys, dangling names, origins that
//! contradict the environment. Services report [`Registry::hash`] so that a fleet's disagreement shows.

mod behaviour;
mod builtin;
mod check;
mod feature;
mod file;
mod job;
mod load;
mod look;
mod origin;
mod policy;
mod product;
mod tenant;
mod validation;

pub use behaviour::{Behaviour, Override};
pub use feature::{Feature, FeatureKind, Validation};
pub use job::{Closed, Cohort, Hours, Job, JobIdentity, JobKind, Schedule, Stage, Zone};
pub use load::{Entry, LoadError, Registry};
pub use look::Look;
pub use origin::Origin;
pub use policy::{Policy, Rule};
pub use tenant::{
    App, ClientAuth, Endpoint, Environment, KeyAlgorithm, Open, Registration, SecretSource, Tenant,
};
