//! End to end through the front door: whole instances on free ports, seen only from outside.

pub mod any_ehr;
pub mod back_ends;
pub mod jobs;
pub mod matrix;
pub mod scenario;
pub mod stack;
pub mod world;
