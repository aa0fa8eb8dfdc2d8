//! The gateway as a process: the product's own composition over owners in memory, with the spool on the disk, its
//! records sealed, limits, breaker, metrics, the log and traces on.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::Context;
use sallyport::{cli::UpArgs, compose, signals::Ending};
use sallyport_model::ServiceName;
use sallyport_telemetry::{LogSink, Settings};
use url::Url;

use super::{Serving, owners};

/// What a gateway is told.
#[derive(clap::Args)]
pub(crate) struct GatewayArgs {
    /// The EHR.
    #[arg(long)]
    ehr: SocketAddr,
    /// Where spans are sent.
    #[arg(long)]
    spans: SocketAddr,
    /// Share of traces kept.
    #[arg(long)]
    sample: f64,
    /// A folder of its own.
    #[arg(long)]
    data: PathBuf,
    /// The audit service in the same process: records are relayed and stored as well.
    #[arg(long)]
    with_audit: bool,
    /// The EHR takes only so many calls in a minute and in a second: more than come, so that none is refused.
    #[arg(long)]
    with_windows: bool,
}

const TENANT: &str = r#"[tenant]
id = "bench"
name = "Bench Hospital"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "main"
name = "Fixed answers"
vendor = "sandbox"
fhir_base = "{ehr}/fhir"
authorize_origins = ["{ehr}"]
token_origins = ["{ehr}"]
frame_ancestors = ["{ehr}"]
{windows}
[[registration]]
id = "bench"
endpoint = "main"
app = "chart"
client_id = "bench"
auth = "public"
launches = ["ehr"]

[[app]]
id = "chart"
name = "Chart"
features = ["patient-summary", "medication-reconciliation"]
default_feature = "patient-summary"

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "treatment"
purposes = ["TREAT"]
types = ["*"]
permit = true
"#;

/// Two windows as the strictest products have them, and far wider: what is measured is counting, not waiting.
const WINDOWS: &str = r#"
[[endpoint.override]]
key = "limits.windows"
value = ["60000000/60s minute-aligned fhir-and-auth per-base", "1000000/1s rolling fhir per-client"]
owner = "the bench"
reason = "what a limit costs that does not bind"
expires = 2099-12-31
"#;

/// Room for every record of a run: without an audit service nothing leaves the spool.
const CONFIG: &str = r#"[server]
listen = "127.0.0.1:0"
[sandbox_ehr]
enabled = false
[audit_spool]
max_bytes = 4294967296
"#;

/// Serves until it is asked to end.
///
/// # Errors
/// When it cannot be composed.
pub(crate) async fn run(args: GatewayArgs) -> anyhow::Result<()> {
    let mut ending = Ending::listen()?;
    let tenants = args.data.join("tenants");
    fs::create_dir_all(&tenants)?;
    let tenant = TENANT.replace("{ehr}", &format!("http://{}", args.ehr));
    let tenant = tenant.replace("{windows}", if args.with_windows { WINDOWS } else { "" });
    fs::write(tenants.join("bench.toml"), tenant)?;
    let config = args.data.join("config.toml");
    fs::write(&config, CONFIG)?;
    let telemetry = sallyport_telemetry::init(Settings {
        service: "fhir-gateway".to_owned(),
        otlp_endpoint: Some(format!("http://{}", args.spans)),
        sample_ratio: args.sample,
        span_ring: 4_096,
        log: LogSink::Stderr,
    })?;
    let services: &[ServiceName] = if args.with_audit {
        &[ServiceName::Audit, ServiceName::FhirGateway]
    } else {
        &[ServiceName::FhirGateway]
    };
    let up = UpArgs { data_dir: Some(args.data.clone()), config: Some(config), ..UpArgs::default() };
    let running = compose::start_some(services, owners::served(), up, telemetry.ring.clone()).await?;
    let urls = running.urls().context("it says where it is")?;
    let (address, beside) = (address(&urls.app)?, Some(address(&urls.admin)?));
    Serving { address, beside }.announce()?;
    ending.asked().await;
    running.stop().await;
    telemetry.shutdown();
    Ok(())
}

fn address(origin: &str) -> anyhow::Result<SocketAddr> {
    let url = Url::parse(origin)?;
    url.socket_addrs(|| None)?.first().copied().context("an address")
}
