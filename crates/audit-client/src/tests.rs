//! The spool from the outside.
