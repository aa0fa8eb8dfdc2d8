//! A service of the same process that is built after one that calls it.

use sallyport_model::{Code, ServiceName};
use sallyport_proto::gateway::v1::{ViewRequest, fhir_gateway_client::FhirGatewayClient};
use sallyport_rpc::{Later, Transport, code_of};

use crate::world::Counting;

#[tokio::test]
async fn a_service_that_is_built_later_is_away_until_it_is_there_and_again_when_it_is_gone() {
    let later = Later::default();
    let transport = Transport::later(&later, ServiceName::Web);
    let view = || {
        let mut client = FhirGatewayClient::new(transport.clone());
        async move { client.view(ViewRequest::default()).await.map_err(|status| code_of(&status)) }
    };
    assert_eq!(view().await.unwrap_err(), Code::DependencyDown);
    assert!(!transport.is_connected() && !transport.reach().await);
    later.is(Counting::named("later").served());
    assert_eq!(view().await.unwrap().into_inner().tenant, "web", "it is called as whoever calls");
    assert!(transport.is_connected());
    later.is_gone();
    assert_eq!(view().await.unwrap_err(), Code::DependencyDown);
}
