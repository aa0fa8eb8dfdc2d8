//! The sandbox EHR over real sockets: launches, sign-in and consent, every client authentication, the life
//! and death of tokens, refusals, faults, control and the portal.

// `cfg(test)` tells clippy that the steps shared by the tests are test code too.
#[cfg(test)]
mod athena;
#[cfg(test)]
mod bulk;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod client_auth;
#[cfg(test)]
mod control;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod ecw;
#[cfg(test)]
mod ehr;
#[cfg(test)]
mod ehr_launch;
#[cfg(test)]
mod epic;
#[cfg(test)]
mod epic_tokens;
#[cfg(test)]
mod fault_injection;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod meditech;
#[cfg(test)]
mod nextgen;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod page;
#[cfg(test)]
mod portal;
#[cfg(test)]
mod product;
#[cfg(test)]
mod production_like;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod standalone;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod veradigm;
#[cfg(test)]
mod wire_faults;
#[cfg(test)]
mod writes;
