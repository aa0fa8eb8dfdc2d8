//! Where a product's tenants live, and what its description of itself leaves out.

use crate::{Fact, Text, fact::assumed, setting::words};

words! {
    /// What names a customer of the product.
    TenantPlace {
        /// A server of its own.
        Host = "host",
        /// A segment of the path.
        Path = "path",
        /// Nothing in the address: ids and extensions in the data say it.
        Ids = "ids",
        /// Nothing in the address: it follows from who signs in.
        Login = "login",
    }
}

words! {
    /// How the product writes the end of its FHIR base.
    Slash {
        /// Always with `/`.
        Always = "always",
        /// Never with `/`.
        Never = "never",
        /// Both are found.
        Mixed = "mixed",
    }
}

words! {
    /// Where the authorization server is, seen from the FHIR server.
    AuthHost {
        /// On the same host.
        Same = "same",
        /// On another host.
        Other = "other",
        /// The product has none; the operator brings one.
        Own = "own",
    }
}

words! {
    /// Where the product describes its authorization server.
    Discovery {
        /// `.well-known/smart-configuration` alone.
        WellKnown = "well-known",
        /// Also in the CapabilityStatement, for releases that have nothing else.
        Both = "well-known-and-metadata",
        /// Nowhere.
        Nowhere = "nowhere",
    }
}

/// Addresses and discovery.
#[derive(Debug, Clone)]
pub struct Place {
    /// What a FHIR base looks like, for people who register one.
    pub base_pattern: Fact<Text>,
    /// What names the tenant. Where it is not the address, one base serves many.
    pub tenant: Fact<TenantPlace>,
    /// The end of the base.
    pub slash: Fact<Slash>,
    /// Links in answers name the default port (`:443`), which the registered base does not.
    pub names_default_port: Fact<bool>,
    /// Patients and clinicians have different bases.
    pub base_by_persona: Fact<bool>,
    /// Where the authorization server is.
    pub auth_host: Fact<AuthHost>,
    /// The OpenID issuer is on neither host: it must be pinned at registration.
    pub foreign_issuer: Fact<bool>,
    /// Where the product describes itself.
    pub discovery: Fact<Discovery>,
    /// Members that its description leaves out although the product has what they announce.
    pub omits: Fact<Vec<Text>>,
}

impl Place {
    /// What SMART App Launch 2.2 §Conformance asks for.
    pub(crate) fn standard() -> Self {
        Self {
            base_pattern: assumed(Text::Borrowed("https://<host>/<path>")),
            tenant: assumed(TenantPlace::Host),
            slash: assumed(Slash::Mixed),
            names_default_port: assumed(false),
            base_by_persona: assumed(false),
            auth_host: assumed(AuthHost::Same),
            foreign_issuer: assumed(false),
            discovery: assumed(Discovery::WellKnown),
            omits: assumed(Vec::new()),
        }
    }
}
