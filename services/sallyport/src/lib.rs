//! The default binary and its parts: composing the services in one process, the front door, the operators' commands.
//!
//! A library beside `main.rs` so that `tests/e2e` starts the same composition on free ports.

pub mod add_endpoint;
pub mod cli;
pub mod compose;
pub mod config;
pub mod demo;
mod dev_tenant;
mod edge;
mod listen;
pub mod operate;
pub mod operator;
pub mod ready;
