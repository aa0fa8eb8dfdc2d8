//! The products, one file each. What a product shares with `strict` it takes from there.

mod athena;
mod ecw;
mod epic;
mod meditech;
mod nextgen;
mod oracle;
mod production_like;
pub(super) mod strict;
mod veradigm;

use super::Profile;

/// All products, `strict` first.
pub(super) static ALL: &[&Profile] = &[
    &strict::PROFILE,
    &epic::PROFILE,
    &oracle::PROFILE,
    &athena::PROFILE,
    &ecw::PROFILE,
    &meditech::PROFILE,
    &nextgen::PROFILE,
    &veradigm::PROFILE,
    &production_like::PROFILE,
];
