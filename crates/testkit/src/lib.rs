//! What tests share: canaries and the scan for them, a receiver of spans, real servers, a network with faults, planted
//! bugs, and the account a long suite gives of itself. A dev-dependency, never shipped.

pub mod assurance;
pub mod canary;
pub mod fault_proxy;
pub mod otlp;
pub mod planted;
pub mod servers;
pub mod tls_front;
