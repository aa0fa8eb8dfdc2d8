//! Pages: how the next one is found, what is said about the whole, and where rows are lost or repeated.

use crate::{Fact, Text, fact::assumed, setting::words};

words! {
    /// What a `next` link is made of. It is followed as it stands, never built or changed.
    NextLink {
        /// Something opaque with the query beside it.
        Opaque = "opaque",
        /// A search kept on the server, which forgets it.
        ServerSearch = "server-search",
        /// A place in the order of rows.
        Cursor = "cursor",
        /// A page number.
        PageNumber = "page-number",
        /// There are no pages: one answer has everything.
        None = "none",
    }
}

words! {
    /// What `Bundle.total` is. It is told to nobody as a number of rows unless it is exact.
    Total {
        /// The number of matches.
        Exact = "exact",
        /// Not there.
        Absent = "absent",
        /// The number of rows on this page.
        OfPage = "of-page",
        /// What `_count` asked for.
        EchoesCount = "echoes-count",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// What is made of `_count`.
    Count {
        /// Kept, up to a most.
        Kept = "kept",
        /// Ignored.
        Ignored = "ignored",
        /// Ignored on some types' first page.
        IgnoredAtFirst = "ignored-at-first",
    }
}

/// Paging.
#[derive(Debug, Clone)]
pub struct Paging {
    /// What a `next` link is made of.
    pub next: Fact<NextLink>,
    /// What `total` is.
    pub total: Fact<Total>,
    /// What is made of `_count`.
    pub count: Fact<Count>,
    /// Rows on a page when nobody asks; types may have their own ([`crate::search::Rule`]).
    pub default_size: Fact<Option<u32>>,
    /// Most rows on a page.
    pub max_size: Fact<Option<u32>>,
    /// A search kept on the server is gone after so many seconds without use.
    pub idle_seconds: Fact<Option<i64>>,
    /// The same resource may come again on a later page: kept once, in its latest version.
    pub repeats_rows: Fact<bool>,
    /// The last page may come before the last row: fewer distinct rows than an exact total make the answer partial.
    pub stops_short: Fact<bool>,
    /// A `next` link may lead to an empty page.
    pub next_may_be_empty: Fact<bool>,
    /// The `next` link of a search by POST does not work.
    pub next_of_post_broken: Fact<bool>,
    /// `next` links lead to the FHIR base itself instead of the type.
    pub next_on_base: Fact<bool>,
    /// Entries have no `search.mode`: those of the searched type are matches.
    pub mode_absent: Fact<bool>,
    /// `fullUrl` names another host or spelling of the base; it is never called.
    pub full_url_elsewhere: Fact<bool>,
    /// Parameters in a `next` link by which it can be told from a new search, for reports.
    pub marks: Fact<Vec<Text>>,
}

impl Paging {
    /// What FHIR R4 §3.1.1.5 says.
    pub(crate) fn standard() -> Self {
        Self {
            next: assumed(NextLink::Opaque),
            total: assumed(Total::Unknown),
            count: assumed(Count::Kept),
            default_size: assumed(None),
            max_size: assumed(None),
            idle_seconds: assumed(None),
            repeats_rows: assumed(false),
            stops_short: assumed(false),
            next_may_be_empty: assumed(false),
            next_of_post_broken: assumed(false),
            next_on_base: assumed(false),
            mode_absent: assumed(false),
            full_url_elsewhere: assumed(false),
            marks: assumed(Vec::new()),
        }
    }
}
