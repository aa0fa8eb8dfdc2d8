//! The tenants' files: endpoints, client registrations, app entries, features and their scopes, policies.
//!
//! Everything is refused at load time that could not be decided later: unknown keys, dangling names, origins that
//! contradict the environment. Services report [`Registry::hash`] so that a fleet's disagreement shows.

mod builtin;
mod check;
mod feature;
mod file;
mod load;
mod origin;
mod policy;
mod tenant;

pub use feature::{Feature, FeatureKind};
pub use load::{Entry, LoadError, Registry};
pub use origin::Origin;
pub use policy::{Policy, Rule};
pub use tenant::{
    App, ClientAuth, Endpoint, Environment, KeyAlgorithm, Open, Registration, SecretSource, Tenant,
};
