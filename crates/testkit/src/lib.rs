//! What tests share: canaries and the scan for them, and a receiver of spans. A dev-dependency, never shipped.

pub mod canary;
pub mod otlp;
