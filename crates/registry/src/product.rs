//! Whether a registration is one that its product takes: how it shows who it is, and what it asks for.

use sallyport_vendors::{
    Profile,
    oauth::{Algorithm, Method},
};

use crate::{Feature, KeyAlgorithm, file::AuthKind};

/// Whether the endpoint takes this method. The error is a sentence for an operator.
pub(crate) fn check(auth: AuthKind, profile: &Profile) -> Result<(), String> {
    let method = match auth {
        AuthKind::Public => Method::Public,
        AuthKind::SecretBasic => Method::Basic,
        AuthKind::SecretPost => Method::Post,
        AuthKind::PrivateKeyJwt => Method::Assertion,
    };
    let takes = &profile.oauth.methods;
    if takes.contains(&method) {
        return Ok(());
    }
    let all: Vec<&str> = takes.iter().map(|method| method.as_str()).collect();
    Err(format!(
        "{} does not take auth \"{}\"; it takes {}. If this endpoint does, override oauth.methods",
        profile.name,
        method.as_str(),
        all.join(", ")
    ))
}

/// The signature of assertions: the one asked for, else ES384 where it is verified, else RS384.
pub(crate) fn algorithm(asked: Option<KeyAlgorithm>, profile: &Profile) -> Result<KeyAlgorithm, String> {
    let verifies = |algorithm| {
        profile.oauth.algorithms.contains(&match algorithm {
            KeyAlgorithm::Es384 => Algorithm::Es384,
            KeyAlgorithm::Rs384 => Algorithm::Rs384,
        })
    };
    let wanted = match asked {
        Some(asked) => vec![asked],
        None => vec![KeyAlgorithm::Es384, KeyAlgorithm::Rs384],
    };
    wanted.into_iter().find(|algorithm| verifies(*algorithm)).ok_or_else(|| {
        let all: Vec<&str> = profile.oauth.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        format!("{} does not verify this algorithm; it verifies {}", profile.name, all.join(", "))
    })
}

/// Whether what a feature asks for can be granted. The error is a sentence for an operator.
pub(crate) fn asks(feature: &Feature, profile: &Profile) -> Result<(), String> {
    let is_wild = feature.scopes().resources().any(|scope| scope.resource_type.is_none());
    if !is_wild || *profile.scopes.wildcards.value() {
        return Ok(());
    }
    Err(format!(
        "feature {} asks for all types at once and {} grants no wildcard: name the types, or override scopes.wildcards",
        feature.id, profile.name
    ))
}

#[cfg(test)]
mod tests {
    use sallyport_model::VendorId;

    use super::*;

    fn of(id: &str) -> &'static Profile {
        sallyport_vendors::profile(&VendorId::parse(id).unwrap()).unwrap()
    }

    #[test]
    fn a_method_that_the_product_does_not_take_is_an_error_before_the_first_launch() {
        let error = check(AuthKind::Public, of("nextgen")).unwrap_err();
        assert!(error.contains("client_secret_basic, client_secret_post"), "{error}");
        assert!(check(AuthKind::SecretPost, of("nextgen")).is_ok());
        assert!(check(AuthKind::Public, of("generic")).is_ok());
    }

    #[test]
    fn an_assertion_is_signed_as_the_product_verifies_it() {
        assert_eq!(algorithm(None, of("generic")), Ok(KeyAlgorithm::Es384));
        assert_eq!(algorithm(None, of("eclinicalworks")), Ok(KeyAlgorithm::Rs384));
        let error = algorithm(Some(KeyAlgorithm::Es384), of("eclinicalworks")).unwrap_err();
        assert!(error.contains("it verifies RS384"), "{error}");
    }

    #[test]
    fn a_wildcard_is_asked_only_of_a_product_that_grants_one() {
        let mut feature = crate::builtin::features().unwrap().remove(0);
        assert!(asks(&feature, of("oracle")).is_ok());
        feature.optional = sallyport_model::scope::ScopeSet::parse("patient/*.rs");
        assert!(asks(&feature, of("generic")).is_ok());
        assert!(asks(&feature, of("oracle")).unwrap_err().contains("name the types"));
    }
}
