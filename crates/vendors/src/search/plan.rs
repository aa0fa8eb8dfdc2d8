//! From the search a caller asked for to the one this product understands, or a refusal before the EHR is troubled.

use sallyport_fhir::{
    Param, ResourceType,
    interaction::Search as Asked,
    params::{Control, Modifier, TypeRule},
};
use sallyport_model::Code;

use super::{Rule, Search};

/// A search as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What is sent.
    pub search: Asked,
    /// Names of parameters that were added.
    pub added: Vec<&'static str>,
    /// Those among them that may lose rows: the answer is partial.
    pub narrowed: Vec<&'static str>,
    /// Names of parameters that were left out because the product does not know them, or wants another alone. None of
    /// them selects rows that the check on the way out would not refuse.
    pub left_out: Vec<&'static str>,
}

/// Why a search is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// One of these sets of parameters must be there as a whole.
    Missing(Vec<Vec<&'static str>>),
    /// The product does not know this parameter, and would give more than was asked for.
    Undeclared(&'static str),
    /// The product does not take these two together.
    Apart(&'static str, &'static str),
}

/// A search that is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The stable code.
    pub code: Code,
    /// Why.
    pub why: Why,
}

impl From<Why> for Refused {
    fn from(why: Why) -> Self {
        let code = match &why {
            Why::Missing(_) => Code::ParameterMissing,
            Why::Undeclared(_) | Why::Apart(..) => Code::ParameterDenied,
        };
        Self { code, why }
    }
}

impl Search {
    /// Plans a search whose patient is bound already.
    ///
    /// # Errors
    /// [`Refused`] when the product would not understand it, or would answer something else than was asked.
    pub fn plan(&self, asked: &Asked) -> Result<Planned, Refused> {
        let mut planned =
            Planned { search: asked.clone(), added: Vec::new(), narrowed: Vec::new(), left_out: Vec::new() };
        self.leave_out_controls(&mut planned);
        self.refuse_undeclared(asked)?;
        let Some(rule) = self.rule(asked.resource_type) else { return Ok(planned) };
        for (one, other) in &rule.never_together {
            if has(asked, one) && has(asked, other) {
                return Err(Why::Apart(one, other).into());
            }
        }
        if let Some(alone) = rule.alone.iter().find(|name| has(asked, name)) {
            leave_alone(alone, &mut planned)?;
        }
        supply(rule, &mut planned)?;
        cap_pages(rule, &mut planned.search);
        Ok(planned)
    }

    fn leave_out_controls(&self, planned: &mut Planned) {
        let left_out = &mut planned.left_out;
        planned.search.params.retain(|param| {
            let stays =
                Control::parse(param.name).is_none() || self.controls.iter().any(|name| name == param.name);
            if !stays {
                left_out.push(param.name);
            }
            stays
        });
    }

    /// A filter that is not sent would widen the answer, so the search is refused instead.
    fn refuse_undeclared(&self, asked: &Asked) -> Result<(), Refused> {
        let rule = self.rule(asked.resource_type);
        let declared = rule.and_then(|rule| rule.declared.as_ref());
        for param in asked.params.iter().filter(|param| Control::parse(param.name).is_none()) {
            let is_known = match param.name {
                "_lastUpdated" => *self.last_updated.value(),
                "_id" => true,
                name => {
                    declared.is_none_or(|all| all.contains(&name) || names_patient(asked.resource_type, name))
                }
            };
            if !is_known && !sallyport_model::planted!("undeclared-parameter-sent") {
                return Err(Why::Undeclared(param.name).into());
            }
        }
        Ok(())
    }
}

/// A parameter that selects. `:missing` and `:not` are no value of it.
fn has(asked: &Asked, name: &str) -> bool {
    let selects = |param: &Param| !matches!(param.modifier, Some(Modifier::Missing | Modifier::Not));
    let is_it = |param: &&Param| {
        param.name == name || (name == "patient" && names_patient(asked.resource_type, param.name))
    };
    asked.params.iter().filter(is_it).any(selects)
}

fn names_patient(resource_type: ResourceType, name: &str) -> bool {
    TypeRule::of(resource_type).is_some_and(|rule| rule.names_patient(name))
}

/// The patient and what shapes the answer may go: whose a resource is, is checked on the way out in any case. A filter
/// may not.
fn leave_alone(alone: &'static str, planned: &mut Planned) -> Result<(), Refused> {
    let resource_type = planned.search.resource_type;
    let (kept, gone): (Vec<Param>, Vec<Param>) =
        std::mem::take(&mut planned.search.params).into_iter().partition(|param| param.name == alone);
    for param in &gone {
        if Control::parse(param.name).is_none() && !names_patient(resource_type, param.name) {
            return Err(Why::Apart(alone, param.name).into());
        }
        planned.left_out.push(param.name);
    }
    planned.search.params = kept;
    Ok(())
}

/// Adds what the product requires, as little as will do.
fn supply(rule: &Rule, planned: &mut Planned) -> Result<(), Refused> {
    let is_met = |search: &Asked| rule.needs.iter().any(|set| set.iter().all(|name| has(search, name)));
    if rule.needs.is_empty() || is_met(&planned.search) {
        return Ok(());
    }
    for addition in &rule.adds {
        if has(&planned.search, addition.name) {
            continue;
        }
        planned.search.params.push(Param {
            name: addition.name,
            modifier: None,
            value: addition.value.to_owned(),
        });
        planned.added.push(addition.name);
        if addition.narrows {
            planned.narrowed.push(addition.name);
        }
        if is_met(&planned.search) {
            return Ok(());
        }
    }
    Err(Why::Missing(rule.needs.clone()).into())
}

/// More than a page may hold is not asked for: some products answer that with an error, some with nothing.
fn cap_pages(rule: &Rule, search: &mut Asked) {
    let Some(max) = rule.page_max else { return };
    for param in search.params.iter_mut().filter(|param| param.name == "_count") {
        if param.value.parse::<u32>().is_ok_and(|count| count > max) {
            param.value = max.to_string();
        }
    }
}

#[cfg(test)]
mod tests;
