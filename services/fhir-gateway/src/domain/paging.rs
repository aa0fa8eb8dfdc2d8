//! Page links: the EHR's own link is opaque and may hold anything, so a caller gets a sealed handle of ours instead.
//!
//! A handle opens only in the launch or run it was made for, until it expires, in every replica that has its key
//! (`page_keys.rs`). What is sealed is the link's part below the endpoint's base: the rest is added again from the
//! registry, never from the handle.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_egress::{Pins, Url};
use sallyport_fhir::ResourceType;
use sallyport_model::{Authority, Code, Micros};
use uuid::Uuid;

use super::{page_keys::KeyBook, pager::Trail};
use crate::error::Refusal;

/// A link of an EHR that was found to stay under its base, and what is known of the search it goes on with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) resource_type: ResourceType,
    pub(crate) trail: Trail,
    /// What follows the base: starts with `/`, `?` or is empty.
    pub(crate) below_base: String,
}

/// Seals and opens handles.
pub(crate) struct Pages {
    keys: Arc<KeyBook>,
    keep: Micros,
    most: u32,
}

/// The id of the key before what it sealed.
const ID_BYTES: usize = 16;

impl Pages {
    pub(crate) fn new(keys: Arc<KeyBook>, keep_seconds: u64, most: u32) -> Self {
        let keep = i64::try_from(keep_seconds).unwrap_or(0).saturating_mul(1_000_000);
        Self { keys, keep, most }
    }

    /// The key that a handle names.
    pub(crate) fn key_of(handle: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
        Uuid::from_slice(bytes.get(..ID_BYTES)?).ok()
    }

    /// The handle of a page.
    pub(crate) fn seal(&self, authority: impl Into<Authority>, page: &Page, now: Micros) -> String {
        let mut opened = format!("{}\n{}\n", now.saturating_add(self.keep), page.resource_type).into_bytes();
        page.trail.write(&mut opened);
        opened.extend_from_slice(page.below_base.as_bytes());
        let (id, key) = self.keys.sealing();
        let mut handle = id.as_bytes().to_vec();
        handle.extend_from_slice(&key.seal(&place(authority.into()), &opened));
        URL_SAFE_NO_PAD.encode(handle)
    }

    /// The page of a handle.
    pub(crate) fn open(
        &self,
        authority: impl Into<Authority>,
        handle: &str,
        now: Micros,
    ) -> Result<Page, Refusal> {
        let refused = |what| Refusal::because(Code::PageHandleInvalid, what);
        let bytes = URL_SAFE_NO_PAD.decode(handle).map_err(|_text| refused("the link is malformed"))?;
        let (id, sealed) = bytes.split_at_checked(ID_BYTES).ok_or(refused("the link is malformed"))?;
        let key = Uuid::from_slice(id).ok().and_then(|id| self.keys.get(id));
        let opened = key
            .ok_or(refused("the key of the link is gone, run the search again"))?
            .open(&place(authority.into()), sealed)
            .map_err(|_key| refused("the link is not of this launch"))?;
        let malformed = || refused("the link is malformed");
        let (expires, rest) = line(opened.expose()).ok_or_else(malformed)?;
        let expires: Micros = expires.parse().map_err(|_number| malformed())?;
        if now >= expires {
            return Err(refused("the link has expired"));
        }
        let (resource_type, rest) = line(rest).ok_or_else(malformed)?;
        let resource_type = ResourceType::parse(resource_type).ok_or_else(malformed)?;
        let (trail, below_base) = Trail::read(rest).ok_or_else(malformed)?;
        if trail.number > self.most {
            return Err(refused("the search has more pages than can be followed"));
        }
        let below_base = std::str::from_utf8(below_base).map_err(|_bytes| malformed())?;
        Ok(Page { resource_type, trail, below_base: below_base.to_owned() })
    }

    /// The last page that is followed.
    pub(crate) fn most(&self) -> u32 {
        self.most
    }
}

/// The text up to the next end of line, and what follows it.
pub(super) fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(line).ok()?, rest.get(1..)?))
}

/// Associated data: a handle of one launch or run does not open in another.
fn place(authority: Authority) -> Vec<u8> {
    format!("page\0{authority}").into_bytes()
}

/// The part of an EHR's link below its base; `None` when it leads anywhere else.
pub(crate) fn below_base(link: &str, base: &str, pins: &Pins) -> Option<String> {
    let with_slash = Url::parse(&format!("{}/", base.trim_end_matches('/'))).ok()?;
    let url = with_slash.join(link).ok()?;
    if sallyport_model::planted!("next-link-followed-anywhere") {
        return Some(url.to_string());
    }
    if !pins.admits(&url) {
        return None;
    }
    let root = with_slash.as_str().trim_end_matches('/');
    let rest = url.as_str().strip_prefix(root)?;
    (rest.is_empty() || rest.starts_with(['/', '?'])).then(|| rest.to_owned())
}

/// The URL of a page under the endpoint's base.
pub(crate) fn url(base: &str, below_base: &str) -> Result<Url, Refusal> {
    let malformed = || Refusal::because(Code::PageHandleInvalid, "the link is malformed");
    if sallyport_model::planted!("next-link-followed-anywhere")
        && let Ok(url) = Url::parse(below_base)
    {
        return Ok(url);
    }
    let base = Url::parse(&format!("{}/", base.trim_end_matches('/'))).map_err(|_base| malformed())?;
    let text = format!("{}{}", base.as_str().trim_end_matches('/'), below_base);
    Url::parse(&text).map_err(|_url| malformed())
}

#[cfg(test)]
mod tests {
    use sallyport_model::{LaunchId, TestClock};

    use super::*;

    const BASE: &str = "https://ehr.example:8443/api/fhir";

    fn book() -> Arc<KeyBook> {
        Arc::new(KeyBook::new(Arc::new(TestClock::at(0)), 60_000_000))
    }

    fn launch() -> LaunchId {
        LaunchId::new(&TestClock::at(1_700_000_000_000_000))
    }

    fn page() -> Page {
        Page {
            resource_type: ResourceType::Condition,
            trail: Trail::at(2),
            below_base: "?_getpages=a%2Fb&x=\u{e9}".to_owned(),
        }
    }

    #[test]
    fn a_handle_opens_in_its_own_launch_until_it_expires() {
        let (pages, mine, other) = (Pages::new(book(), 60, 3), launch(), launch());
        let handle = pages.seal(mine, &page(), 0);
        assert!(handle.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert!(pages.open(mine, &handle, 59_999_999).is_ok_and(|opened| opened == page()));
        assert!(pages.open(mine, &handle, 60_000_000).is_err());
        assert!(pages.open(other, &handle, 0).is_err());
        assert!(Pages::new(book(), 60, 3).open(mine, &handle, 0).is_err());
        let mut altered = handle.clone();
        altered.replace_range(40..41, if handle.as_bytes()[40] == b'A' { "B" } else { "A" });
        assert!(pages.open(mine, &altered, 0).is_err());
        let beyond = pages.seal(mine, &Page { trail: Trail::at(4), ..page() }, 0);
        assert!(pages.open(mine, &beyond, 0).is_err());
    }

    #[test]
    fn only_links_under_the_base_are_kept() {
        let pins = Pins::parse([BASE]).unwrap();
        let below = |link: &str| below_base(link, BASE, &pins);
        assert_eq!(below("https://ehr.example:8443/api/fhir?_getpages=1").as_deref(), Some("?_getpages=1"));
        assert_eq!(
            below("https://EHR.example:8443/api/fhir/Condition?page=2").as_deref(),
            Some("/Condition?page=2")
        );
        assert_eq!(below("Condition?page=2").as_deref(), Some("/Condition?page=2"));
        for elsewhere in [
            "https://evil.example/api/fhir?page=2",
            "https://ehr.example:8443.evil.example/api/fhir?page=2",
            "https://ehr.example/api/fhir?page=2",
            "http://ehr.example:8443/api/fhir?page=2",
            "https://user@ehr.example:8443/api/fhir?page=2",
            "https://ehr.example:8443/api/other?page=2",
            "../other?page=2",
            "//evil.example/api/fhir",
            "https://ehr.example:8443/api/fhir/%2e%2e/admin",
            "javascript:alert(1)",
        ] {
            assert_eq!(below(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_page_is_called_under_the_registered_base() {
        let page = page();
        assert_eq!(
            url(BASE, &page.below_base).unwrap().as_str(),
            "https://ehr.example:8443/api/fhir?_getpages=a%2Fb&x=%C3%A9"
        );
        assert_eq!(url(&format!("{BASE}/"), &page.below_base).unwrap(), url(BASE, &page.below_base).unwrap());
    }
}
