//! What an endpoint's profile, or its file in the profile's stead, changes about a launch.

use sallyport_proto::audit::v1::Kind;

use crate::{
    browser::query,
    world::{World, each_overridden},
};

#[tokio::test]
async fn a_product_that_refuses_an_audience_is_sent_none() {
    each_overridden(&[("oauth.audience", "\"omitted\"")], |world: World| async move {
        let departed = world.depart(&mut world.browser()).await;
        assert_eq!(query(&departed.authorize, "aud"), None);
    })
    .await;
}

#[tokio::test]
async fn a_product_that_compares_an_audience_without_its_slash_is_sent_it_so() {
    each_overridden(&[("oauth.audience", "\"without-slash\"")], |world: World| async move {
        let with_slash = world.launch_path_with(&format!("{}/", world.iss()));
        let url = world.browser().get(&with_slash).await.location();
        assert_eq!(query(&url, "aud"), Some(world.iss()));
    })
    .await;
}

#[tokio::test]
async fn a_product_is_asked_in_its_dialect_whatever_it_announces() {
    each_overridden(&[("scopes.dialect", "\"v1\"")], |world: World| async move {
        let departed = world.depart(&mut world.browser()).await;
        let scope = query(&departed.authorize, "scope").unwrap();
        assert!(scope.contains("patient/Patient.read") && !scope.contains(".rs"), "{scope}");
    })
    .await;
}

#[tokio::test]
async fn a_product_that_cannot_carry_a_slash_is_asked_with_dots_and_recorded_without() {
    each_overridden(&[("scopes.separator", "\"dot\"")], |world: World| async move {
        let departed = world.depart(&mut world.browser()).await;
        let scope = query(&departed.authorize, "scope").unwrap();
        assert!(scope.contains("patient.Patient.rs") && !scope.contains("patient/"), "{scope}");
        let record = world.records(Kind::Launch).await.pop().unwrap();
        assert!(record.requested_scope.contains("patient/Patient.rs"), "{}", record.requested_scope);
    })
    .await;
}

#[tokio::test]
async fn what_is_too_long_for_a_product_loses_the_optional_part_first_and_is_refused_then() {
    let whole = std::sync::Mutex::new(0_usize);
    let whole = &whole;
    each_overridden(&[], |world: World| async move {
        let departed = world.depart(&mut world.browser()).await;
        *whole.lock().unwrap() = query(&departed.authorize, "scope").unwrap().len();
    })
    .await;
    let one_less = (*whole.lock().unwrap() - 1).to_string();
    each_overridden(&[("scopes.max_bytes", one_less.as_str())], |world: World| async move {
        let departed = world.depart(&mut world.browser()).await;
        let scope = query(&departed.authorize, "scope").unwrap();
        assert!(scope.len() < *whole.lock().unwrap() && scope.contains("patient/Patient.r"), "{scope}");
    })
    .await;
    each_overridden(&[("scopes.max_bytes", "20")], |world: World| async move {
        let answer = world.browser().get(&world.launch_path()).await;
        assert_eq!((answer.status, answer.code()), (403, "launch.scope_too_long"));
        assert_eq!(world.last_code(Kind::Launch).await, "launch.scope_too_long");
    })
    .await;
}

/// The last day of the tests' overrides is the end of 2099.
#[tokio::test]
async fn an_endpoint_is_refused_and_not_contacted_when_an_override_has_expired() {
    each_overridden(&[("scopes.dialect", "\"v1\"")], |world: World| async move {
        world.clock.advance(std::time::Duration::from_secs(80 * 366 * 86_400));
        let answer = world.browser().get(&world.launch_path()).await;
        assert_eq!((answer.status, answer.code()), (403, "endpoint.override_expired"));
        assert_eq!(world.ehr.paths(), Vec::<String>::new());
        let lake = format!("/launch?launch=x&iss={}/fhir", world.lake.url);
        assert!(
            world.browser().get(&lake).await.header("location").is_some(),
            "another endpoint is not affected"
        );
    })
    .await;
}
