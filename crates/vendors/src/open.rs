//! Products that follow the specification: any SMART server, and our own sandbox EHR in its strict profile.

use crate::{Profile, Rotation, STANDARD};

/// Any SMART App Launch 2.x server that nobody has looked at closely.
pub(crate) const GENERIC: Profile = STANDARD;

/// The sandbox EHR, profile `strict`: rotates refresh tokens, gives one for `online_access`, sends the nonce back.
pub(crate) const SANDBOX: Profile = Profile {
    id: "sandbox",
    name: "Sandbox EHR",
    rotation: Rotation::Rotates,
    nonce_required: true,
    online_access: true,
    ..STANDARD
};
