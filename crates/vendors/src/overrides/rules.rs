//! Overrides of how one type is searched: `search.needs.Observation = "patient+code | patient+category"`.

use sallyport_fhir::{
    ResourceType,
    params::{Control, TypeRule},
};

use crate::{
    Fact, Setting,
    search::{Rule, Search},
};

/// For the list of keys.
pub(super) const FORMS: [&str; 3] =
    ["search.needs.<Type>", "search.declares.<Type>", "search.page_max.<Type>"];

const NEEDS: &str = "sets of parameters such as \"patient+code | patient+category\", or \"none\"";
const DECLARES: &str = "parameters that this gateway knows, divided by commas, or \"any\"";
const PAGE_MAX: &str = "\"none\", or a whole number above 0";

/// Sets it; `None` when the key is none of these.
pub(super) fn set(search: &mut Search, key: &str, value: &str) -> Option<Result<(), String>> {
    let (name, type_name) = key.strip_prefix("search.")?.split_once('.')?;
    let change: fn(&mut Rule, &str) -> Option<()> = match name {
        "needs" => needs,
        "declares" => declares,
        "page_max" => page_max,
        _ => return None,
    };
    let forms = match name {
        "needs" => NEEDS,
        "declares" => DECLARES,
        _ => PAGE_MAX,
    };
    let resource_type = ResourceType::parse(type_name)?;
    let mut rule =
        search.rule(resource_type).map_or_else(|| Rule::of(resource_type), |rule| rule.value().clone());
    if change(&mut rule, value).is_none() {
        return Some(Err(forms.to_owned()));
    }
    search.rules.retain(|rule| rule.resource_type != resource_type);
    search.rules.push(Fact::overridden(rule));
    Some(Ok(()))
}

fn needs(rule: &mut Rule, value: &str) -> Option<()> {
    rule.needs = match value {
        "none" => Vec::new(),
        sets => sets
            .split('|')
            .map(|set| set.split('+').map(|name| known(rule.resource_type, name.trim())).collect())
            .collect::<Option<_>>()?,
    };
    Some(())
}

fn declares(rule: &mut Rule, value: &str) -> Option<()> {
    rule.declared = match value {
        "any" => None,
        names => {
            Some(names.split(',').map(|name| known(rule.resource_type, name.trim())).collect::<Option<_>>()?)
        }
    };
    Some(())
}

fn page_max(rule: &mut Rule, value: &str) -> Option<()> {
    rule.page_max = Option::<u32>::read(value).filter(|max| *max != Some(0))?;
    Some(())
}

/// A parameter of our own table: what the gateway would not take from a caller cannot be needed either.
fn known(resource_type: ResourceType, name: &str) -> Option<&'static str> {
    let own = || TypeRule::of(resource_type)?.param(name).map(|(name, _)| name);
    own().or_else(|| Control::parse(name).map(|(_, name)| name))
}
