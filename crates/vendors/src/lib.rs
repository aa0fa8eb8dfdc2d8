//! How EHR products differ, said in code: one module per product, read by launch, vault and gateway.
//!
//! No other crate asks which vendor it is talking to; it asks the profile how that product behaves. Every fact says how
//! surely it is known ([`Confidence`]). An endpoint's profile is a value: its tenant's file may override facts of it, with
//! an owner, a reason and a last day ([`overrides`]).

pub mod bulk;
pub mod data;
pub mod errors;
mod fact;
pub mod limits;
pub mod oauth;
pub mod overrides;
pub mod page;
pub mod paging;
pub mod place;
mod products;
pub mod registration;
pub mod scopes;
pub mod search;
mod setting;
pub mod tokens;
pub mod writes;

use std::sync::{Arc, LazyLock};

use sallyport_model::VendorId;

pub use fact::{Confidence, Fact};
pub use setting::{Setting, Shown, Text};

/// How one product, or one endpoint of it, behaves. Parts are read where the behaviour matters; none of them is a name to
/// branch on.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The id that tenant files use.
    pub id: &'static str,
    /// The product's name for people.
    pub name: &'static str,
    /// Addresses and discovery.
    pub place: place::Place,
    /// Authorization and client authentication.
    pub oauth: oauth::OAuth,
    /// Scopes.
    pub scopes: scopes::Scopes,
    /// Tokens and identity.
    pub tokens: tokens::Tokens,
    /// Searching.
    pub search: search::Search,
    /// Paging.
    pub paging: paging::Paging,
    /// Errors.
    pub errors: errors::Errors,
    /// Throttling.
    pub limits: limits::Limits,
    /// Bulk export.
    pub bulk: bulk::Bulk,
    /// Writes.
    pub writes: writes::Writes,
    /// The data.
    pub data: data::Data,
    /// Registering.
    pub registration: registration::Registration,
}

impl Profile {
    /// The behaviour that the specifications ask for; a product's module says what it does otherwise.
    pub(crate) fn standard(id: &'static str, name: &'static str) -> Self {
        Self {
            id,
            name,
            place: place::Place::standard(),
            oauth: oauth::OAuth::standard(),
            scopes: scopes::Scopes::standard(),
            tokens: tokens::Tokens::standard(),
            search: search::Search::standard(),
            paging: paging::Paging::standard(),
            errors: errors::Errors::standard(),
            limits: limits::Limits::standard(),
            bulk: bulk::Bulk::standard(),
            writes: writes::Writes::standard(),
            data: data::Data::standard(),
            registration: registration::Registration::standard(),
        }
    }
}

static ALL: LazyLock<Vec<Arc<Profile>>> =
    LazyLock::new(|| products::all().into_iter().map(Arc::new).collect());

/// The profile of that id; an unknown id is `None` and a configuration error, never a default.
pub fn profile(id: &VendorId) -> Option<&'static Arc<Profile>> {
    ALL.iter().find(|profile| profile.id == id.as_str())
}

/// Every profile: the open ones first, then the vendors'.
pub fn all() -> &'static [Arc<Profile>] {
    &ALL
}

#[cfg(test)]
mod tests;
