//! The addresses of pages: how a product names the next one, and how its name is read back.

use url::form_urlencoded;

use super::{Context, Params, paging::Rest};
use crate::profile::{NextLink, SearchRules};

const PAGE: &str = "page";

/// What an address says about the page it wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The first page of a search.
    First,
    /// The page with this number of a search, from 1.
    Number(usize),
    /// The page kept under this name.
    Kept(String),
}

/// The parameter that names a page, and what stands before the name.
fn naming(style: NextLink) -> (&'static str, &'static str) {
    match style {
        NextLink::GetPages | NextLink::BaseWithOffset => ("_getpages", ""),
        NextLink::SessionId => ("sessionID", "n-"),
        NextLink::PageContext => ("-pageContext", ""),
        NextLink::Cursor => ("cursor", "a-80000.result-"),
        NextLink::Continue => ("continue", "LA."),
        NextLink::PageNumber => (PAGE, ""),
    }
}

/// The parameter by which pages are named.
pub(crate) fn parameter(style: NextLink) -> &'static str {
    naming(style).0
}

/// The address of a page kept under a name.
pub(crate) fn next(context: &Context, rest: &Rest, name: &str) -> String {
    let style = context.profile.search.next;
    let (parameter, prefix) = naming(style);
    let of_type = format!("{}/{}", context.base, rest.kind);
    let name = format!("{prefix}{name}");
    let (address, repeats_search, own): (&str, bool, Params) = match style {
        NextLink::GetPages | NextLink::SessionId => (&of_type, false, vec![pair(parameter, &name)]),
        NextLink::PageContext => {
            (&of_type, true, vec![pair(parameter, &name), pair("-pageDirection", "NEXT")])
        }
        NextLink::Cursor | NextLink::Continue => (&of_type, true, vec![pair(parameter, &name)]),
        NextLink::PageNumber => {
            let number = rest.offset.checked_div(rest.size).unwrap_or_default() + 1;
            (&of_type, true, vec![pair(PAGE, &number.to_string())])
        }
        NextLink::BaseWithOffset => {
            let offset = rest.offset.to_string();
            (&context.base, false, vec![pair(parameter, &name), pair("_getpagesoffset", &offset)])
        }
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    if repeats_search {
        query.extend_pairs(rest.asked.iter().filter(|(name, _)| name != PAGE));
    }
    query.extend_pairs(own);
    format!("{address}?{}", query.finish())
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Which page the parameters ask for; a page number is taken out of them.
pub(crate) fn wanted(rules: &SearchRules, params: &mut Params) -> Wanted {
    let (parameter, prefix) = naming(rules.next);
    let Some(position) = params.iter().position(|(name, _)| name == parameter) else { return Wanted::First };
    let (_, value) = params.remove(position);
    if rules.next == NextLink::PageNumber {
        return value.parse().map_or(Wanted::First, Wanted::Number);
    }
    Wanted::Kept(value.strip_prefix(prefix).unwrap_or_default().to_owned())
}

/// An address of ours as the product spells it: with the default port written out, or, where there is
/// another port already, with the scheme in capitals. Both are the same origin to who compares origins, and
/// another one to who compares texts.
pub(crate) fn respelt(context: &Context, address: String) -> String {
    if context.profile.search.respells_links { respell(&address) } else { address }
}

fn respell(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port {
        return format!("{}://{rest}", scheme.to_ascii_uppercase());
    }
    let port = if scheme == "https" { 443 } else { 80 };
    format!("{scheme}://{authority}:{port}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    #[test]
    fn a_respelt_address_is_another_text_and_the_same_origin() {
        for address in
            ["https://ehr.example/fhir/Patient?a=1", "http://127.0.0.1:8090/fhir", "http://[::1]/x"]
        {
            let other = respell(address);
            assert_ne!(other, address);
            assert_eq!(url::Url::parse(&other).unwrap(), url::Url::parse(address).unwrap());
        }
        assert_eq!(respell("https://ehr.example/fhir"), "https://ehr.example:443/fhir");
    }

    #[test]
    fn the_name_of_a_page_is_read_as_it_was_written() {
        for profile in Profile::all() {
            let (parameter, prefix) = naming(profile.search.next);
            let mut params = vec![pair("patient", "p"), pair(parameter, &format!("{prefix}7"))];
            let expected = match profile.search.next {
                NextLink::PageNumber => Wanted::Number(7),
                _ => Wanted::Kept("7".to_owned()),
            };
            assert_eq!(wanted(&profile.search, &mut params), expected, "{}", profile.name);
            assert_eq!(wanted(&profile.search, &mut params), Wanted::First);
        }
    }
}
