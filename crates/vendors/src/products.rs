//! One module per product, each a list of differences.

mod altera;
mod athena_flow;
mod athena_one;
mod azure;
mod eclinicalworks;
mod epic;
mod google;
mod hapi;
mod meditech;
mod medplum;
mod nextgen;
mod open;
mod oracle;
mod smart_health_it;
mod veradigm;

use crate::Profile;

/// Every product.
pub(crate) fn all() -> Vec<Profile> {
    vec![
        open::generic(),
        open::sandbox(),
        smart_health_it::profile(),
        medplum::profile(),
        hapi::profile(),
        azure::profile(),
        google::profile(),
        epic::profile(),
        oracle::profile(),
        athena_one::profile(),
        athena_flow::profile(),
        eclinicalworks::profile(),
        meditech::profile(),
        nextgen::profile(),
        veradigm::profile(),
        altera::profile(),
    ]
}

/// Parts that most products' modules use.
mod prelude {
    pub(super) use sallyport_fhir::ResourceType as T;

    pub(super) use crate::{
        Profile,
        bulk::{Files, KickOff, TypeList},
        data::{Attachment, LastUpdated, Medication},
        errors::{Body, Cause, Mark, Sign},
        fact::{documented, observed, unverified},
        limits::{Counts, Per, WaitTold, Window, WindowKind},
        oauth::{Algorithm, Audience, Introspection, Method, Pkce},
        paging::{Count, NextLink, Total},
        place::{AuthHost, Discovery, Slash, TenantPlace},
        registration::{Launch, SandboxAccess},
        scopes::{DialectRule, Separator},
        search::{Includes, Rule, Unknown},
        setting::{Text, texts},
        tokens::{FhirUser, RefreshNeeds, Rotation},
        writes::{Created, Trust},
    };

    /// A text.
    pub(super) fn text(text: &'static str) -> Text {
        Text::Borrowed(text)
    }
}
