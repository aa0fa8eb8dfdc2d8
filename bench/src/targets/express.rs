//! The backend that teams write first: Express with its session in Redis, the token decrypted for each call, and
//! http-proxy-middleware. Only the Node process is counted, not Redis.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use super::{Process, Target, free_port, load};
use crate::{
    load::{get, once},
    roles::Serving,
};

/// How many people are signed in.
const SESSIONS: usize = 100;

/// Express and the Redis that it keeps sessions in.
pub(crate) struct Express {
    /// What is measured.
    pub(crate) target: Target,
    /// Must live as long.
    pub(crate) redis: Process,
}

impl Express {
    /// Starts both and signs everybody in.
    ///
    /// # Errors
    /// When one is not installed.
    pub(crate) async fn start(ehr: &Serving, folder: &Path, program: &Path) -> anyhow::Result<Self> {
        ensure!(program.with_file_name("node_modules").exists(), "run npm ci in bench/express first");
        let store = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &store.port().to_string()]);
        command.arg("--dir").arg(folder).stdout(Stdio::null());
        let mut redis = Process::start(command, folder, "redis")?;
        redis.listening(store)?;

        let mut command = Command::new("node");
        command.arg(program).stdout(Stdio::piped());
        command.env("NODE_ENV", "production");
        command.env("EHR", format!("http://{}", ehr.address)).env("STORE", format!("redis://{store}"));
        let (process, serving) = Process::start(command, folder, "express")?.announced()?;
        let mut requests = Vec::new();
        for _ in 0..SESSIONS {
            let answer = once(serving.address, &get(serving.address, "/login", &[])).await?;
            let cookie = answer.lines().find_map(|line| line.strip_prefix("Set-Cookie: "));
            let cookie = cookie.and_then(|c| c.split(';').next()).context("a sign-in gives a cookie")?;
            requests.push(get(serving.address, "/fhir/Condition", &[("cookie", cookie)]));
        }
        let target = Target {
            name: "express",
            process,
            load: load(serving.address, requests),
            share: 0.15,
            metrics: None,
            relays: false,
            windows: 0,
        };
        Ok(Self { target, redis })
    }
}
