//! Bulk export: what may be asked for, how often, and what has to be tidied up (FHIR Bulk Data Access).

use crate::{Fact, Text, fact::assumed, setting::words};

words! {
    /// What an export may be about.
    KickOff {
        /// `/$export`
        System = "system",
        /// `/Patient/$export`
        AllPatients = "all-patients",
        /// The same by POST with a list.
        PatientList = "patient-list",
        /// `/Group/<id>/$export`
        Group = "group",
    }
}

words! {
    /// How several types are asked for.
    TypeList {
        /// `_type=A,B`
        Joined = "joined",
        /// `_type=A&_type=B` works as well.
        Repeated = "repeated",
    }
}

words! {
    /// Where a file is.
    Files {
        /// Behind the access token.
        Token = "token",
        /// Behind a redirect to an address that is signed itself: the token must not go there.
        SignedRedirect = "signed-redirect",
        /// In a storage account of the customer's.
        Storage = "storage",
    }
}

/// Bulk export.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// What an export may be about; empty: there is none.
    pub kick_offs: Fact<Vec<KickOff>>,
    /// Most patients of an export that is a good idea.
    pub max_patients: Fact<Option<u32>>,
    /// The same group again only after so many seconds.
    pub repeat_seconds: Fact<Option<i64>>,
    /// Exports at the same time, for one client at one tenant.
    pub concurrent: Fact<Option<u32>>,
    /// `_since` selects.
    pub since: Fact<bool>,
    /// `_typeFilter` selects.
    pub type_filter: Fact<bool>,
    /// How several types are asked for.
    pub type_list: Fact<TypeList>,
    /// `Prefer: handling=lenient` drops filters without a word: never sent.
    pub lenient_drops_filters: Fact<bool>,
    /// Ask for the status no sooner than this, in seconds, whatever is told.
    pub poll_seconds: Fact<i64>,
    /// Longest wait between two polls, in seconds: what is told beyond it is cut.
    pub poll_cap_seconds: Fact<i64>,
    /// Where files are.
    pub files: Fact<Files>,
    /// Without a DELETE the next kick-off is refused. It is sent in any case.
    pub delete_needed: Fact<bool>,
    /// The product has deleted by itself: a DELETE is answered by 404.
    pub deletes_itself: Fact<bool>,
    /// The same resource may be in a file twice, or in two files.
    pub duplicates: Fact<bool>,
    /// Types that never come.
    pub omits: Fact<Vec<Text>>,
}

impl Bulk {
    /// What the Bulk Data Access guide says; whether there is any is the CapabilityStatement's word.
    pub(crate) fn standard() -> Self {
        Self {
            kick_offs: assumed(Vec::new()),
            max_patients: assumed(None),
            repeat_seconds: assumed(None),
            concurrent: assumed(None),
            since: assumed(true),
            type_filter: assumed(false),
            type_list: assumed(TypeList::Joined),
            lenient_drops_filters: assumed(false),
            poll_seconds: assumed(30),
            poll_cap_seconds: assumed(1_800),
            files: assumed(Files::Token),
            delete_needed: assumed(false),
            deletes_itself: assumed(false),
            duplicates: assumed(false),
            omits: assumed(Vec::new()),
        }
    }
}
