//! The default binary and its parts: composing the services in one process, the front door, the operators' commands.
//!
//! A library beside `main.rs` so that `tests/e2e` starts the same composition on free ports.

pub mod add_endpoint;
mod asker;
pub mod audit;
pub mod certify;
pub mod check;
pub mod cli;
pub mod compose;
pub mod config;
pub mod console;
pub mod demo;
mod dev_tenant;
pub mod doctor;
mod edge;
mod house;
pub mod incident;
pub mod jobs;
pub mod keys;
mod listen;
pub mod matrix;
pub mod migrate;
pub mod operate;
pub mod operator;
pub mod pki;
pub mod probe;
pub mod ready;
pub mod reconcile;
pub mod serve;
pub mod signals;
pub mod tokens;
pub mod witness;
