//! The services behind the console, as answers by method: what is asked is kept, with whose cookie.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Full};
use prost::Message;
use sallyport_model::{Code, ServiceName, TestClock, operator::Role};
use sallyport_proto::{convert, launch::v1 as launch};
use sallyport_rpc::{AllowList, Served, Transport, console::OPERATOR_METADATA, status};
use tonic::service::Routes;

use crate::{
    fake::{NOW, registry},
    website::{Answer, send},
};

/// The cookie's value of whoever is signed in.
pub(crate) const SECRET: &str = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";

macro_rules! allow {
    ($($path:literal)*) => { &[$(($path, &[ServiceName::Web])),*] };
}

const ALLOW: AllowList = allow!(
    "/sallyport.launch.v1.Operators/PeekLink"
    "/sallyport.launch.v1.Operators/SignIn"
    "/sallyport.launch.v1.Operators/Resolve"
    "/sallyport.launch.v1.Operators/SignOut"
    "/sallyport.launch.v1.Operators/ListOperators"
    "/sallyport.launch.v1.Operators/EndOperator"
    "/sallyport.launch.v1.LaunchAuth/ListSessions"
    "/sallyport.launch.v1.LaunchAuth/Revoke"
    "/sallyport.launch.v1.Incidents/Plan"
    "/sallyport.launch.v1.Incidents/Run"
    "/sallyport.launch.v1.Incidents/Close"
    "/sallyport.launch.v1.Incidents/List"
    "/sallyport.audit.v1.Audit/Query"
    "/sallyport.audit.v1.Audit/LogStatus"
    "/sallyport.audit.v1.Audit/Activity"
    "/sallyport.audit.v1.Audit/ProveRecord"
    "/sallyport.audit.v1.Audit/Disclosures"
    "/sallyport.audit.v1.Audit/Unmask"
    "/sallyport.audit.v1.Audit/SaveReview"
    "/sallyport.audit.v1.Audit/ListReviews"
    "/sallyport.audit.v1.Audit/SignReport"
    "/sallyport.jobs.v1.Jobs/ListJobs"
    "/sallyport.jobs.v1.Jobs/ListRuns"
    "/sallyport.jobs.v1.Jobs/GetRun"
    "/sallyport.jobs.v1.Jobs/DryRun"
    "/sallyport.jobs.v1.Jobs/Start"
    "/sallyport.jobs.v1.Jobs/Pause"
    "/sallyport.jobs.v1.Jobs/Stop"
    "/sallyport.jobs.v1.Jobs/ListDeadLetters"
    "/sallyport.jobs.v1.Jobs/Kill"
);

type Answers = HashMap<String, Result<Bytes, Code>>;

#[derive(Default)]
struct Inside {
    answers: Mutex<Answers>,
    asked: Mutex<Vec<(String, Bytes, bool)>>,
}

/// The console over canned services.
pub(crate) struct Desk {
    pages: Router,
    inside: Arc<Inside>,
}

impl Desk {
    /// Somebody of that role is signed in; every list is empty.
    pub(crate) async fn of(role: Role) -> Self {
        #[cfg(feature = "planted-bugs")]
        if let Ok(name) = std::env::var("SALLYPORT_PLANTED") {
            sallyport_model::planted::set(&[&name]);
        }
        let inside = Arc::new(Inside::default());
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&inside));
        let served = Served::new(Routes::from(routes), ALLOW);
        let to = || Transport::local(served.clone(), ServiceName::Web);
        let ports = sallyport_web::Ports {
            gateway: to(),
            console: sallyport_web::ConsolePorts { launch_auth: to(), audit: to(), job_worker: Some(to()) },
            registry: Arc::new(registry()),
            clock: Arc::new(TestClock::at(NOW)),
        };
        let config = sallyport_web::Config {
            trace_url: "https://traces.example/{trace_id}".to_owned(),
            ..sallyport_web::Config::default()
        };
        let pages = sallyport_web::build(config, ports).await.unwrap().http;
        let desk = Self { pages, inside };
        desk.says("launch.v1.Operators/Resolve", &operator(role));
        desk
    }

    /// What a method answers from now on.
    pub(crate) fn says(&self, method: &str, message: &impl Message) {
        let bytes = Bytes::from(message.encode_to_vec());
        self.inside.answers.lock().unwrap().insert(format!("/sallyport.{method}"), Ok(bytes));
    }

    /// What it refuses with from now on.
    pub(crate) fn refuses(&self, method: &str, code: Code) {
        self.inside.answers.lock().unwrap().insert(format!("/sallyport.{method}"), Err(code));
    }

    /// What a method was asked, each with whether it was in somebody's name.
    pub(crate) fn asked<M: Message + Default>(&self, method: &str) -> Vec<(M, bool)> {
        let asked = self.inside.asked.lock().unwrap();
        let own = asked.iter().filter(|(path, _, _)| *path == format!("/sallyport.{method}"));
        own.map(|(_, bytes, signed)| (M::decode(bytes.clone()).unwrap(), *signed)).collect()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &format!("__Host-console={SECRET}")).await
    }

    pub(crate) async fn get_with(&self, path: &str, cookie: &str) -> Answer {
        let request = http::Request::get(path).header(header::COOKIE, cookie);
        send(&self.pages, request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = http::Request::post(path)
            .header(header::COOKIE, format!("__Host-console={SECRET}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.pages, request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

/// Somebody of that role, for all tenants.
pub(crate) fn operator(role: Role) -> launch::Operator {
    launch::Operator {
        session_id: vec![7; 16],
        name: "Olga <b>Auditor</b>".to_owned(),
        role: convert::role_number(role),
        all_tenants: true,
        created_at: NOW,
        last_active_at: NOW,
        idle_expires_at: NOW + 1,
        absolute_expires_at: NOW + 1,
        by: "link".to_owned(),
        ..launch::Operator::default()
    }
}

async fn answer(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let signed = request.headers().contains_key(OPERATOR_METADATA);
    let body = request.into_body().collect().await.unwrap().to_bytes();
    inside.asked.lock().unwrap().push((path.clone(), body.slice(5..), signed));
    // A method that nothing was said about gives an empty message: a list without entries.
    let known = inside.answers.lock().unwrap().get(&path).cloned().unwrap_or_else(|| Ok(Bytes::new()));
    match known {
        Err(code) => status(code).into_http(),
        Ok(message) => {
            let mut frame = vec![0];
            frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            frame.extend_from_slice(&message);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let body = Full::new(Bytes::from(frame)).with_trailers(async move { Some(Ok(trailers)) });
            Response::builder()
                .header(header::CONTENT_TYPE, "application/grpc")
                .body(Body::new(body))
                .unwrap()
        }
    }
}
