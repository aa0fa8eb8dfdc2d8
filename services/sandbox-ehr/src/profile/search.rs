//! Knobs of searching and paging.

use super::errors::ErrorRow;

/// How searches behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchRules {
    /// How many matches stand on a page.
    pub sizes: PageSizes,
    /// What `total` says.
    pub total: Total,
    /// How the next page is named.
    pub next: NextLink,
    /// How long a page is kept, seconds.
    pub next_seconds: i64,
    /// Whether links spell the origin in another, equal way (default port written out, or the scheme in
    /// capitals where the port is written anyway).
    pub respells_links: bool,
    /// What is wrong with paging.
    pub bug: PagingBug,
    /// Whether Bundles have an `id`.
    pub has_bundle_id: bool,
    /// Whether entries say `search.mode`.
    pub has_modes: bool,
    /// How `fullUrl` is written.
    pub full_url: FullUrl,
    /// What becomes of unknown parameters.
    pub unknown: UnknownParameter,
    /// Parameters without which a type cannot be searched.
    pub required: &'static [Required],
    /// Types that the organisation has not switched on: refused although the token's scope covers them.
    pub denied_types: &'static [&'static str],
    /// Categories (type, code) that never appear in results.
    pub hidden_categories: &'static [(&'static str, &'static str)],
    /// The entry that says that nothing was found.
    pub empty_notice: Option<Notice>,
    /// Entries that come with every result of a type, or of every type where none is named.
    pub notices: &'static [(Option<&'static str>, Notice)],
    /// How long each page takes, milliseconds.
    pub page_millis: u64,
}

/// How many matches stand on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSizes {
    /// Where the client does not say.
    pub usual: usize,
    /// Whatever the client says.
    pub largest: usize,
    /// Whether `_count` is looked at.
    pub obeys_count: bool,
    /// Other sizes by type: (type, usual, largest).
    pub by_type: &'static [(&'static str, usize, usize)],
    /// Types that come on one page.
    pub unpaged: &'static [&'static str],
}

/// What `Bundle.total` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// How many match.
    Exact,
    /// Nothing.
    Absent,
    /// How many stand on this page.
    Page,
    /// What `_count` asked for, where it did.
    EchoesCount,
}

/// How the address of the next page is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLink {
    /// `[base]/[type]?_getpages=…`.
    GetPages,
    /// `[base]/[type]?sessionID=…`, to which nothing can be added.
    SessionId,
    /// The search repeated with `-pageContext=…&-pageDirection=NEXT`.
    PageContext,
    /// The search repeated with `cursor=…`.
    Cursor,
    /// The search repeated with `continue=…`.
    Continue,
    /// The search repeated with `page=2`: nothing is kept.
    PageNumber,
    /// `[base]?_getpages=…&_getpagesoffset=…`.
    BaseWithOffset,
}

/// What is wrong with paging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagingBug {
    /// Nothing.
    None,
    /// After this many matches there is no next page, whatever is left.
    StopsAfter(usize),
    /// Each page begins with the last match of the one before.
    RepeatsLast,
}

/// How `fullUrl` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullUrl {
    /// Below the FHIR base.
    Own,
    /// Below the same path on a host of somebody else.
    OtherHost(&'static str),
    /// Below the FHIR base in other letters: `/FHIR`.
    OtherCase,
}

/// What becomes of unknown parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownParameter {
    /// They are refused unless the client asks for leniency.
    Refused,
    /// They are ignored without a word, and stand in the self link; only these types refuse them.
    IgnoredExceptOf(&'static [&'static str]),
}

/// Parameters without which a type cannot be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Required {
    /// The type.
    pub kind: &'static str,
    /// All parameters of one of these groups must be there.
    pub any_of: &'static [&'static [&'static str]],
    /// What is answered else.
    pub else_answer: ErrorRow,
}

/// An OperationOutcome among the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// `issue.severity`.
    pub severity: &'static str,
    /// `issue.code`.
    pub code: &'static str,
    /// System and code of `issue.details`.
    pub coding: (&'static str, &'static str),
    /// Its text.
    pub text: &'static str,
}
