//! Page links: the EHR's own link is opaque and may hold anything, so a caller gets a sealed handle of ours instead.
//!
//! A handle opens only in the launch it was made for, until it expires, in the process that made it. What is sealed is
//! the link's part below the endpoint's base: the rest is added again from the registry, never from the handle.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_egress::{Pins, Url};
use sallyport_fhir::ResourceType;
use sallyport_keyring::DataKey;
use sallyport_model::{Code, LaunchId, Micros};

use crate::error::Refusal;

/// A link of an EHR that was found to stay under its base, and which page of its search it leads to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) resource_type: ResourceType,
    pub(crate) number: u32,
    /// What follows the base: starts with `/`, `?` or is empty.
    pub(crate) below_base: String,
}

/// Seals and opens handles.
pub(crate) struct Pages {
    key: DataKey,
    keep: Micros,
    most: u32,
}

impl Pages {
    pub(crate) fn new(keep_seconds: u64, most: u32) -> Self {
        let keep = i64::try_from(keep_seconds).unwrap_or(0).saturating_mul(1_000_000);
        Self { key: DataKey::generate(), keep, most }
    }

    /// The handle of a page.
    pub(crate) fn seal(&self, launch: LaunchId, page: &Page, now: Micros) -> String {
        let text = format!(
            "{}\n{}\n{}\n{}",
            now.saturating_add(self.keep),
            page.number,
            page.resource_type,
            page.below_base
        );
        URL_SAFE_NO_PAD.encode(self.key.seal(&place(launch), text.as_bytes()))
    }

    /// The page of a handle.
    pub(crate) fn open(&self, launch: LaunchId, handle: &str, now: Micros) -> Result<Page, Refusal> {
        let refused = |what| Refusal::because(Code::PageHandleInvalid, what);
        let sealed = URL_SAFE_NO_PAD.decode(handle).map_err(|_text| refused("the link is malformed"))?;
        let opened = self
            .key
            .open(&place(launch), &sealed)
            .map_err(|_key| refused("the link is not of this launch"))?;
        let text = std::str::from_utf8(opened.expose()).map_err(|_bytes| refused("the link is malformed"))?;
        let mut parts = text.splitn(4, '\n');
        let mut next = || parts.next().ok_or(refused("the link is malformed"));
        let (expires, number, resource_type, below_base) = (next()?, next()?, next()?, next()?);
        let expires: Micros = expires.parse().map_err(|_number| refused("the link is malformed"))?;
        if now >= expires {
            return Err(refused("the link has expired"));
        }
        let number = number.parse().map_err(|_number| refused("the link is malformed"))?;
        if number > self.most {
            return Err(refused("the search has more pages than can be followed"));
        }
        let resource_type = ResourceType::parse(resource_type).ok_or(refused("the link is malformed"))?;
        Ok(Page { resource_type, number, below_base: below_base.to_owned() })
    }
}

/// Associated data: a handle of one launch does not open in another.
fn place(launch: LaunchId) -> Vec<u8> {
    format!("page\0{launch}").into_bytes()
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
pub(crate) fn url(base: &str, page: &Page) -> Result<Url, Refusal> {
    let malformed = || Refusal::because(Code::PageHandleInvalid, "the link is malformed");
    if sallyport_model::planted!("next-link-followed-anywhere")
        && let Ok(url) = Url::parse(&page.below_base)
    {
        return Ok(url);
    }
    let base = Url::parse(&format!("{}/", base.trim_end_matches('/'))).map_err(|_base| malformed())?;
    let text = format!("{}{}", base.as_str().trim_end_matches('/'), page.below_base);
    Url::parse(&text).map_err(|_url| malformed())
}

#[cfg(test)]
mod tests {
    use sallyport_model::TestClock;

    use super::*;

    const BASE: &str = "https://ehr.example:8443/api/fhir";

    fn launch() -> LaunchId {
        LaunchId::new(&TestClock::at(1_700_000_000_000_000))
    }

    fn page() -> Page {
        Page {
            resource_type: ResourceType::Condition,
            number: 2,
            below_base: "?_getpages=a%2Fb&x=\u{e9}".to_owned(),
        }
    }

    #[test]
    fn a_handle_opens_in_its_own_launch_until_it_expires() {
        let (pages, mine, other) = (Pages::new(60, 3), launch(), launch());
        let handle = pages.seal(mine, &page(), 0);
        assert!(handle.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert!(pages.open(mine, &handle, 59_999_999).is_ok_and(|opened| opened == page()));
        assert!(pages.open(mine, &handle, 60_000_000).is_err());
        assert!(pages.open(other, &handle, 0).is_err());
        assert!(Pages::new(60, 3).open(mine, &handle, 0).is_err());
        let mut altered = handle.clone();
        altered.replace_range(40..41, if handle.as_bytes()[40] == b'A' { "B" } else { "A" });
        assert!(pages.open(mine, &altered, 0).is_err());
        let beyond = pages.seal(mine, &Page { number: 4, ..page() }, 0);
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
            url(BASE, &page).unwrap().as_str(),
            "https://ehr.example:8443/api/fhir?_getpages=a%2Fb&x=%C3%A9"
        );
        assert_eq!(url(&format!("{BASE}/"), &page).unwrap(), url(BASE, &page).unwrap());
    }
}
