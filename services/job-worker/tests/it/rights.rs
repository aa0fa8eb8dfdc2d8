//! Who may call, and what a request must say.

use sallyport_model::ServiceName;
use sallyport_proto::jobs::v1::{ListJobsRequest, StartRequest, jobs_client::JobsClient};
use sallyport_rpc::Transport;

use crate::world::{code, crawl, each, tenant};

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_may_ask_and_who_changes_something_says_why() {
    each(&[tenant("general", &crawl("nightly", "general", 3, ""))], |world| async move {
        let worker = world.worker(1).await;
        for caller in ServiceName::ALL.into_iter().filter(|caller| *caller != ServiceName::Operator) {
            let mut client = JobsClient::new(Transport::local(worker.served.clone(), caller));
            let refused = client.list_jobs(ListJobsRequest::default()).await.unwrap_err();
            assert_eq!(code(&refused), "rpc.caller_denied", "{caller:?}");
        }
        let request = StartRequest {
            tenant: "general".to_owned(),
            job: "nightly".to_owned(),
            ..StartRequest::default()
        };
        assert_eq!(code(&worker.client().start(request).await.unwrap_err()), "request.invalid");
        assert_eq!(world.number("SELECT count(*) FROM runs").await, 0);
    })
    .await;
}
