//! Nothing to import: the rules of the house are in `tests/rules.rs`.
