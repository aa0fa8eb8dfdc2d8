//! The vocabulary of the house: ids, secrets, time, scopes, the access context and the stable error codes.
//!
//! Level 0: no I/O and no other crate of ours. A word means one thing everywhere (docs/ARCHITECTURE.md, "Vocabulary").

pub mod access;
pub mod clock;
pub mod code;
pub mod csv;
pub mod ids;
pub mod operator;
pub mod planted;
pub mod scope;
pub mod secret;
pub mod session;

pub use access::{AccessContext, Actor, Authority, Patients, PolicyDecision, Purpose, ServiceName, User};
pub use clock::{Clock, Micros, SystemClock, TestClock, moment};
pub use code::Code;
pub use ids::{
    AppId, BatchId, EncounterId, EndpointId, FeatureId, GrantId, InvalidId, JobId, LaunchId, PatientId,
    RecordId, RegistrationId, RequestId, RunId, TenantId, VendorId,
};
pub use secret::Secret;
