//! Connections end: by age, at shutdown, by a client that dawdles. Calls do not suffer for it.

use std::{future::Future, time::Duration};

use sallyport_model::{Code, ServiceName};
use sallyport_proto::gateway::v1::{SourceRequest, ViewRequest, fhir_gateway_client::FhirGatewayClient};
use sallyport_rpc::{ClientSettings, ServerSettings, connect_with, once_more};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::world::{Counting, House, PATIENCE, until, view};

/// What sixteen callers get in half a second and at least 800 calls; the first failure ends it.
async fn under_load<F, Fut>(call: F) -> Result<usize, tonic::Status>
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(String, String), tonic::Status>> + Send,
{
    let mut callers = tokio::task::JoinSet::new();
    let started = tokio::time::Instant::now();
    for _caller in 0..16 {
        let call = call.clone();
        callers.spawn(async move {
            let mut made = 0;
            while made < 50 || started.elapsed() < Duration::from_secs(2) {
                call().await?;
                made += 1;
            }
            Ok::<_, tonic::Status>(made)
        });
    }
    let mut made = 0;
    while let Some(ended) = callers.join_next().await {
        made += ended.unwrap()?;
    }
    Ok(made)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_replaced_under_load_and_no_call_fails() {
    let house = House::new();
    let counting = Counting::named("a");
    let server = house.gateway(&counting).await;
    let settings =
        ClientSettings { max_connection_age: Duration::from_millis(500), ..ClientSettings::default() };
    let web = house.identity(ServiceName::Web);
    let transport = connect_with(web, ServiceName::FhirGateway, &[server.uri()], settings).unwrap();
    let client = FhirGatewayClient::new(transport);
    let made = under_load(move || {
        let client = client.clone();
        async move { view(&client).await }
    })
    .await
    .expect("no call fails because a connection ended");
    assert_eq!(counting.executed(), made, "each was executed once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_goodbye_under_load_fails_no_read() {
    let house = House::new();
    let counting = Counting::named("a");
    let settings = ServerSettings {
        max_connection_age: Duration::from_millis(500),
        connection_age_grace: PATIENCE,
        ..ServerSettings::default()
    };
    let server = house.serve(ServiceName::FhirGateway, &counting, None, settings).await;
    let client = house.client(&[&server]);
    let made = under_load(move || {
        let client = client.clone();
        // Each try may meet a connection that is just ending; in a house whose connections live for minutes, one does.
        async move { once_more(|| once_more(|| view(&client))).await }
    })
    .await
    .expect("no read fails because a connection ended");
    assert!(counting.executed() >= made);
}

#[tokio::test]
async fn at_shutdown_calls_in_progress_finish_and_new_ones_are_refused() {
    let house = House::new();
    let counting = Counting::named("a");
    let server = house.gateway(&counting).await;
    let client = house.client(&[&server]);
    let call = tokio::spawn({
        let mut client = client.clone();
        async move { client.source(SourceRequest::default()).await }
    });
    until("the call is being served", || counting.waiting() == 1).await;
    server.stop.send(true).unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while view(&client).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "new calls are refused soon");
    }
    assert!(!server.task.is_finished(), "it waits for the call");
    counting.gate.add_permits(1);
    assert_eq!(call.await.unwrap().unwrap().into_inner().json, b"a");
    tokio::time::timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn whoever_drops_the_server_cuts_what_is_left() {
    let house = House::new();
    let counting = Counting::named("a");
    let server = house.gateway(&counting).await;
    let mut client = house.client(&[&server]);
    let call = tokio::spawn(async move { client.source(SourceRequest::default()).await });
    until("the call is being served", || counting.waiting() == 1).await;
    server.kill().await;
    let refused = tokio::time::timeout(PATIENCE, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(sallyport_rpc::code_of(&refused), Code::DependencyDown);
}

#[tokio::test]
async fn clients_that_say_nothing_are_cut_and_keep_nobody_out() {
    let house = House::new();
    let counting = Counting::named("a");
    let settings = ServerSettings {
        handshake_timeout: Duration::from_millis(300),
        max_handshakes: 2,
        ..ServerSettings::default()
    };
    let server = house.serve(ServiceName::FhirGateway, &counting, None, settings).await;
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    view(&house.client(&[&server])).await.expect("served although more than may shake hands are waiting");
    for mut stream in silent {
        let cut = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await;
        assert!(matches!(cut, Ok(Ok(0) | Err(_))), "cut without a word");
    }
}

#[tokio::test]
async fn a_call_ends_when_its_time_is_over() {
    let house = House::new();
    let counting = Counting::named("a");
    let server = house.gateway(&counting).await;
    let mut client = house.client(&[&server]);
    let mut request = tonic::Request::new(SourceRequest::default());
    request.set_timeout(Duration::from_millis(100));
    let late = tokio::time::timeout(PATIENCE, client.source(request)).await.unwrap().unwrap_err();
    assert_eq!(late.code(), tonic::Code::DeadlineExceeded);

    let mut request = tonic::Request::new(ViewRequest::default());
    request.set_timeout(Duration::from_millis(20));
    let refused = client.view(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::DeadlineExceeded);
    assert_eq!(counting.executed(), 0, "too little time: not even asked");
}
