//! `sallyport witness`: a process of its own, with its own key and its own disk, that signs the checkpoints of audit
//! logs while they only grow. What it refuses, somebody has to look at.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use sallyport_audit::CheckpointFolder;
use sallyport_audit_proof::{
    Checkpoint, Hash, KeyKind, Note, SigningKey, VerifierKey, WitnessError, witness as sign,
};
use sallyport_keyring::{Deployment, LocalKey};
use sallyport_model::{Clock, ServiceName, SystemClock, planted};
use sallyport_proto::audit::v1::{CheckpointRequest, audit_client::AuditClient};
use sallyport_rpc::Transport;

use crate::{audit::status, cli::WitnessArgs, operate::refusal, operator, signals::Ending};

/// Somebody who watches.
pub struct Witness {
    key: SigningKey,
    log_key: VerifierKey,
    state: CheckpointFolder,
}

/// What a look at one log came to.
#[derive(Debug)]
pub enum Look {
    /// A checkpoint over that many records was signed and kept.
    Signed(u64),
    /// There was nothing new.
    Nothing,
    /// The log is not the continuation of what was signed before.
    Refused(WitnessError),
}

/// `sallyport witness`.
///
/// # Errors
/// When a key or folder cannot be used, or, looking once, when the instance does not answer.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(args: &WitnessArgs) -> anyhow::Result<ExitCode> {
    let witness = Witness::open(args)?;
    if args.print_key {
        println!("{}", witness.key.verifier());
        return Ok(ExitCode::SUCCESS);
    }
    if args.once {
        let transport = operator::reach(&args.place, ServiceName::Audit).await?;
        let is_content = round(&witness, &transport, &args.tenant).await?;
        return Ok(if is_content { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut ending = Ending::listen()?;
    let watching = async {
        loop {
            let looked = match operator::reach(&args.place, ServiceName::Audit).await {
                Ok(transport) => round(&witness, &transport, &args.tenant).await,
                Err(error) => Err(error),
            };
            if let Err(error) = looked {
                println!("the instance does not answer: {error:#}");
            }
            tokio::time::sleep(Duration::from_secs(args.every_seconds.max(1))).await;
        }
    };
    tokio::select! {
        () = watching => {}
        () = ending.asked() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Looks at each log; whether nothing was refused.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn round(witness: &Witness, transport: &Transport, only: &[String]) -> anyhow::Result<bool> {
    let mut is_content = true;
    for log in status(transport, "").await?.logs {
        if !only.is_empty() && !only.contains(&log.tenant) {
            continue;
        }
        match witness.look(transport, &log.tenant, &log.origin).await? {
            Look::Signed(size) => println!("signed     {}  {size} records", log.origin),
            Look::Nothing => {}
            Look::Refused(why) => {
                is_content = false;
                println!("REFUSED    {}  {why}", log.origin);
            }
        }
    }
    Ok(is_content)
}

impl Witness {
    /// With its key and its folder.
    ///
    /// # Errors
    /// When they cannot be used, or a name or key is malformed.
    pub fn open(args: &WitnessArgs) -> anyhow::Result<Self> {
        let seed = LocalKey::signing_seed(&args.key_file, Deployment::Development)
            .with_context(|| format!("cannot use {}", args.key_file.display()))?;
        let seed = seed.expose().as_slice().try_into().context("the seed has 32 bytes")?;
        Ok(Self {
            key: SigningKey::from_seed(&args.name, KeyKind::Witness, seed).context("the witness's name")?,
            log_key: VerifierKey::parse(&args.log_key).context("the log's key")?,
            state: CheckpointFolder::new(args.state.clone()),
        })
    }

    /// Its public key, as verifiers are given it.
    pub fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// Looks at a log, and signs what goes on from the last one signed. It is kept before anybody is shown it.
    ///
    /// # Errors
    /// When the instance does not answer, or its own folder cannot be used.
    pub async fn look(&self, transport: &Transport, tenant: &str, origin: &str) -> anyhow::Result<Look> {
        let before = self.state.newest(tenant)?;
        let known = match &before {
            Some(note) => Checkpoint::parse(Note::parse(note)?.text())?.size,
            None => 0,
        };
        // The newest first and without a proof: a log that has become shorter has none.
        let (note, found) = offered(transport, tenant, 0).await?;
        if note.is_empty() {
            return Ok(match known {
                0 => Look::Nothing,
                known => Look::Refused(WitnessError::Shorter { known, found: 0 }),
            });
        }
        let newest = Checkpoint::parse(Note::parse(note.as_bytes())?.text())?;
        let (note, path) = if known == 0 || newest.size < known {
            (note, found)
        } else {
            offered(transport, tenant, known).await?
        };
        let log_key = self.log_key.named(origin).context("the log's name")?;
        let at = u64::try_from(SystemClock.now_seconds()).unwrap_or(0);
        let checked_against = if planted!("witness-signs-unchecked") { None } else { before.as_deref() };
        match sign(&log_key, &self.key, checked_against, note.as_bytes(), &path, at) {
            Err(error) => Ok(Look::Refused(error)),
            Ok((size, _)) if size == known => Ok(Look::Nothing),
            Ok((size, note)) => {
                self.state.keep(tenant, size, &note.to_string())?;
                Ok(Look::Signed(size))
            }
        }
    }
}

/// The newest checkpoint, with the proof that it goes on from `since`.
async fn offered(transport: &Transport, tenant: &str, since: u64) -> anyhow::Result<(String, Vec<Hash>)> {
    let request = CheckpointRequest { tenant: tenant.to_owned(), since: i64::try_from(since)?, size: 0 };
    let answer = AuditClient::new(transport.clone()).checkpoint(request).await;
    let answer = answer.map_err(|status| refusal(&status))?.into_inner();
    let path: Option<Vec<Hash>> = answer.path.iter().map(|hash| Hash::from_slice(hash)).collect();
    Ok((answer.note, path.context("the instance's proof is no list of hashes")?))
}
