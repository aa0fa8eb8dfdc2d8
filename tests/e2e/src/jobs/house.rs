//! The composed binary and the sandbox EHR, each in a process of its own, in one folder. The sandbox outlives the binary's
//! deaths, as an EHR does.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use http::Method;
use sallyport::{demo::browser::Browser, operator, ready::Ready};
use sallyport_model::ServiceName;
use sallyport_rpc::Transport;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::any_ehr::killed::binary;

/// What the client is registered for at the sandbox: all that the feature asks for.
pub(super) const SCOPES: &[&str] = &[
    "system/Patient.rs",
    "system/Condition.rs",
    "system/Observation.rs",
    "system/Encounter.rs",
    "system/Procedure.rs",
    "system/Immunization.rs",
    "system/Group.rs",
];

/// How long a process may take to be ready.
const READY: Duration = Duration::from_secs(120);

/// Leases of a second, and quick looks, so that a death costs little.
const CONFIG: &str = "[sandbox_ehr]\nenabled = false\n[job_worker]\nlease_ms = 1000\nrelay_interval_ms = 50\n\
                      retry_ms = 200\nlost_after_ms = 2000\nexport_frame_bytes = 32768\n";

/// Both.
pub(super) struct House {
    folder: tempfile::TempDir,
    app_port: u16,
    ehr: String,
    sandbox: Process,
    binary: Option<Process>,
    ready: Option<Ready>,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, or to be ended now: both are fine.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl House {
    /// Starts both, with a job `nightly` over the sandbox's patients.
    pub(super) async fn open(patients: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (app_port, ehr_port) = (free_port()?, free_port()?);
        let ehr = format!("http://127.0.0.1:{ehr_port}");
        let log = log_in(folder.path(), "sandbox.log")?;
        let sandbox = Command::new(binary()?)
            .args(["sandbox", "--listen", &format!("127.0.0.1:{ehr_port}")])
            .args(["--app", &format!("http://localhost:{app_port}"), "--patients", &patients.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .spawn()
            .context("the sandbox does not start")?;
        let mut house = Self { folder, app_port, ehr, sandbox: Process(sandbox), binary: None, ready: None };
        let deadline = Instant::now() + READY;
        let ids = loop {
            if let Ok(list) = house.sandbox(Method::GET, "patients", None).await {
                break list;
            }
            ensure!(Instant::now() < deadline, "the sandbox is not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let ids: Vec<&str> =
            ids.as_array().context("a list")?.iter().filter_map(|p| p.get("id")?.as_str()).collect();
        ensure!(ids.len() == patients, "{} patients", ids.len());
        house.write(&ids)?;
        house.register(SCOPES).await?;
        house.start().await?;
        Ok(house)
    }

    fn write(&self, patients: &[&str]) -> anyhow::Result<()> {
        let tenants = self.data().join("tenants");
        std::fs::create_dir_all(&tenants)?;
        std::fs::write(tenants.join("cohort.txt"), patients.join("\n"))?;
        std::fs::write(tenants.join("general.toml"), TENANT.replace("{ehr}", &self.ehr))?;
        std::fs::write(self.folder.path().join("sallyport.toml"), CONFIG)?;
        Ok(())
    }

    /// Its data folder.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The app's origin.
    pub(super) fn app(&self) -> String {
        format!("http://localhost:{}", self.app_port)
    }

    /// Starts the binary on what is there, and waits until it is ready.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        let ready_file = self.folder.path().join("ready.json");
        if ready_file.exists() {
            std::fs::remove_file(&ready_file)?;
        }
        let child = Command::new(binary()?)
            .args(["up", "--listen", &format!("localhost:{}", self.app_port)])
            .arg("--config")
            .arg(self.folder.path().join("sallyport.toml"))
            .arg("--data-dir")
            .arg(self.data())
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(log_in(self.folder.path(), "log.ndjson")?))
            .spawn()
            .context("the binary does not start")?;
        let mut process = Process(child);
        let deadline = Instant::now() + READY;
        while !ready_file.exists() {
            if let Some(status) = process.0.try_wait()? {
                let log = std::fs::read_to_string(self.folder.path().join("log.ndjson"))?;
                bail!("the process ended with {status}: {log}");
            }
            ensure!(Instant::now() < deadline, "the process is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.binary = Some(process);
        self.ready = Some(Ready::read(&ready_file)?);
        Ok(())
    }

    /// SIGKILL: nothing of it runs any more.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.binary.take().context("a running process")?;
        process.0.kill()?;
        process.0.wait()?;
        Ok(())
    }

    /// STOP or CONT, to the binary.
    pub(super) fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(&self.binary.as_ref().context("a running process")?.0, name)
    }

    /// STOP or CONT, to the EHR.
    pub(super) fn ehr_signal(&self, name: &str) -> anyhow::Result<()> {
        signal(&self.sandbox.0, name)
    }

    /// A service's methods, as an operator calls them.
    pub(super) async fn operator(&self, service: ServiceName) -> anyhow::Result<Transport> {
        operator::reach(&self.ready.as_ref().context("a ready process")?.place(), service).await
    }

    /// A call of the sandbox's admin interface.
    pub(super) async fn sandbox(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let url = Url::parse(&format!("{}/_admin/{path}", self.ehr))?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let page = Browser::new().send(method, &url, &[("content-type", "application/json")], &body).await?;
        ensure!(page.status < 300, "the sandbox refused {path}: {} {}", page.status, page.text());
        Ok(page.json().unwrap_or(Value::Null))
    }
}

fn signal(child: &Child, name: &str) -> anyhow::Result<()> {
    let done = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status()?;
    ensure!(done.success(), "no such process");
    Ok(())
}

/// A port that was free a moment ago: the binary comes back to the same one after each death.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn log_in(folder: &Path, name: &str) -> anyhow::Result<std::fs::File> {
    Ok(std::fs::OpenOptions::new().create(true).append(true).open(folder.join(name))?)
}

const TENANT: &str = r#"[tenant]
id = "general"
name = "General Hospital"
environment = "sandbox"
time_zone = "America/New_York"

[[endpoint]]
id = "sandbox"
name = "Sandbox EHR"
vendor = "generic"
fhir_base = "{ehr}/strict/general/fhir"
issuer = "{ehr}/strict/general/oauth"
authorize_origins = ["{ehr}"]
token_origins = ["{ehr}"]
jwks_origins = ["{ehr}"]
frame_ancestors = ["{ehr}"]

[[endpoint.override]]
key = "bulk.kick_offs"
value = ["group"]
owner = "tests"
reason = "the sandbox exports its one group"
expires = 2099-12-31

[[endpoint.override]]
key = "bulk.poll_seconds"
value = 1
owner = "tests"
reason = "the sandbox is quick"
expires = 2099-12-31

[[registration]]
id = "reports"
endpoint = "sandbox"
app = "reports"
client_id = "reports"
auth = "private_key_jwt"
launches = ["backend"]

[[app]]
id = "reports"
name = "Reports"
features = ["population-report", "export", "patient-summary"]
default_feature = "patient-summary"

[[feature]]
id = "export"
title = "Export"
kind = "service"
required = ["system/Patient.rs", "system/Group.rs"]
optional = ["system/Condition.rs", "system/Observation.rs"]
purpose = "HOPERAT"
posture = "bulk, service account"
justification = "A test."

[[job]]
id = "nightly"
title = "What the reports are made of"
kind = "crawl"
feature = "population-report"
registration = "reports"
purpose = "HOPERAT"
identity = "backend"
on = true
stage = "general"
batch_size = 10
parallel_batches = 3

[job.cohort]
patients_file = "cohort.txt"

[[job]]
id = "export"
title = "Everything of the group"
kind = "bulk-export"
feature = "export"
registration = "reports"
purpose = "HOPERAT"
identity = "backend"
on = true
stage = "general"

[job.cohort]
group = "all"

[job.options]
types = ["Patient", "Condition", "Observation"]

[policy]
jurisdiction = "US-MA"

[[policy.rule]]
name = "operations"
purposes = ["HOPERAT", "TREAT"]
types = ["*"]
permit = true
"#;
