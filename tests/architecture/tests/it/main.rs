//! Who may import whom, where outside libraries live, what no file may contain (docs/ARCHITECTURE.md). Each rule names
//! every place that breaks it.
#![cfg(test)]

mod homes;
mod layers;
mod migrations;
mod quirks;
mod secrecy;
mod sources;
mod supply;
mod vendors;
mod watching;
mod workspace;
