//! End to end through the front door: whole instances on free ports, seen only from outside.

pub mod any_ehr;
pub mod scenario;
pub mod world;
