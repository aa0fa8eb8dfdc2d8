//! The default binary.
fn main() {}
