//! The sandbox EHR over real sockets: launches, sign-in and consent, every client authentication, the life
//! and death of tokens, refusals, faults, control and the portal.

// `cfg(test)` tells clippy that the steps shared by the tests are test code too.
#[cfg(test)]
mod client_auth;
#[cfg(test)]
mod control;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod ehr;
#[cfg(test)]
mod ehr_launch;
#[cfg(test)]
mod fault_injection;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod portal;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod standalone;
#[cfg(test)]
mod tokens;
