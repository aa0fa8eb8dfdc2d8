//! Traces, logs and metrics: the home of OpenTelemetry and Prometheus.
//!
//! Only our own spans exist, only allow-listed fields leave (invariant 1), and every log line carries its trace id.

mod export;
pub mod fields;
pub mod health;
pub mod http;
mod init;
mod log;
pub mod metrics;
mod panics;
pub mod propagate;
mod ring;
mod traces;

pub use init::{Error, Settings, Telemetry, init};
pub use log::LogSink;
pub use ring::{SpanRing, SpanView};
