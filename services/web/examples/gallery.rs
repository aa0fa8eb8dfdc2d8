//! The chart's pages over canned data, for looking at them: prints one address per state, each with the cookie to set.
//!
//! `cargo run -p sallyport-web --example gallery -- 127.0.0.1:8091`

#![expect(clippy::print_stdout, reason = "its one output is the list of addresses")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "shares the tests' canned data, where a mistake should stop it"
)]

#[path = "../tests/it/chart.rs"]
mod chart;
#[path = "../tests/it/fake.rs"]
mod fake;
#[path = "../tests/it/states.rs"]
mod states;

use sallyport_model::session::cookie_name;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8091".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    let base = format!("http://localhost:{}", listener.local_addr()?.port());
    let mut launches = Vec::new();
    for (name, canned) in states::all() {
        let launch = fake::launch();
        println!("{name} {base}/chart/{launch}/ {}={}", cookie_name(launch), fake::SECRET);
        launches.push((launch, canned));
    }
    let config = sallyport_web::Config {
        public_url: base,
        sandbox_ehr_url: Some("http://127.0.0.1:8090/".to_owned()),
        ..sallyport_web::Config::default()
    };
    axum::serve(listener, fake::pages(launches, config).await).await
}
