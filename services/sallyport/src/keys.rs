//! `sallyport keys`: how the keys stand, and their rotation while everything goes on.

use std::{process::ExitCode, time::Duration};

use sallyport_model::ServiceName;
use sallyport_proto::{
    keys::v1::{RewrapRequest, StatusRequest, StatusResponse, data_keys_client::DataKeysClient},
    vault::v1::{
        KeyStatusRequest, KeyStatusResponse, RotateKeysRequest, token_vault_client::TokenVaultClient,
    },
};
use sallyport_rpc::Transport;

use crate::{
    cli::{KeysCommand, RotateArgs, Where},
    operate::refusal,
    operator,
};

/// Between two looks at a rotation.
const LOOK: Duration = Duration::from_millis(500);

/// How many keys one call wraps anew.
const BATCH: i32 = 200;

/// The services whose data keys are wrapped anew and stay what they are.
const OTHERS: [ServiceName; 3] = [ServiceName::FhirGateway, ServiceName::JobWorker, ServiceName::Audit];

/// The services that keep sealed things.
struct Keepers {
    vault: Transport,
    others: Vec<(ServiceName, Transport)>,
}

impl Keepers {
    async fn reach(place: &Where) -> anyhow::Result<Self> {
        let mut others = Vec::new();
        for service in OTHERS {
            others.push((service, operator::reach(place, service).await?));
        }
        Ok(Self { vault: operator::reach(place, ServiceName::TokenVault).await?, others })
    }
}

/// `sallyport keys`.
///
/// # Errors
/// When no instance answers, or it refuses.
pub async fn run(command: KeysCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeysCommand::Status { place } => status(&Keepers::reach(&place).await?).await,
        KeysCommand::Rotate(args) => rotate(&Keepers::reach(&args.place).await?, &args).await,
    }
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn status(keepers: &Keepers) -> anyhow::Result<ExitCode> {
    let vault = vault_status(&keepers.vault).await?;
    let mut others = Vec::new();
    for (service, transport) in &keepers.others {
        let answer = DataKeysClient::new(transport.clone()).status(StatusRequest {}).await;
        others.push((*service, answer.map_err(|status| refusal(&status))?.into_inner()));
    }
    for line in lines(&vault, &others) {
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn rotate(keepers: &Keepers, args: &RotateArgs) -> anyhow::Result<ExitCode> {
    let request = RotateKeysRequest {
        key_encryption_key: !args.only_data_keys,
        data_keys: !args.only_key_encryption_key,
        replace_lost: args.replace_lost,
        reason: args.reason.clone(),
    };
    let started = TokenVaultClient::new(keepers.vault.clone()).rotate_keys(request).await;
    let started = started.map_err(|status| refusal(&status))?.into_inner().rotation.unwrap_or_default();
    println!("rotation {} is under way; it goes on if this command is ended", started.number);
    let mut told = -1;
    let done = loop {
        let status = vault_status(&keepers.vault).await?;
        let rotation = status.rotation.unwrap_or_default();
        if rotation.number != started.number || rotation.closed_at > 0 {
            break rotation;
        }
        if status.kek_version == 0 {
            println!("waiting for the key service");
        } else if rotation.resealed != told {
            told = rotation.resealed;
            println!("{} sealed anew, {} to go", rotation.resealed, status.outdated_rows);
        }
        tokio::time::sleep(LOOK).await;
    };
    println!(
        "token-vault: {} data keys wrapped anew, {} rows sealed anew, {} cannot be opened",
        done.rewrapped, done.resealed, done.unreadable
    );
    let mut left = 0;
    for (service, transport) in &keepers.others {
        left += rewrap(*service, transport, &args.reason).await?;
    }
    Ok(if left == 0 && done.unreadable == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A service's data keys; returns how many stay as they are.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
async fn rewrap(service: ServiceName, transport: &Transport, reason: &str) -> anyhow::Result<i32> {
    let mut total = 0;
    loop {
        let request = RewrapRequest { reason: reason.to_owned(), limit: BATCH };
        let answer = DataKeysClient::new(transport.clone()).rewrap(request).await;
        let answer = answer.map_err(|status| refusal(&status))?.into_inner();
        total += answer.rewrapped;
        if answer.outdated == 0 || answer.rewrapped == 0 {
            println!("{}: {total} keys wrapped anew, {} stay as they are", service.as_str(), answer.outdated);
            return Ok(answer.outdated);
        }
    }
}

async fn vault_status(transport: &Transport) -> anyhow::Result<KeyStatusResponse> {
    let answer = TokenVaultClient::new(transport.clone()).key_status(KeyStatusRequest {}).await;
    Ok(answer.map_err(|status| refusal(&status))?.into_inner())
}

fn lines(vault: &KeyStatusResponse, others: &[(ServiceName, StatusResponse)]) -> Vec<String> {
    let current = match vault.kek_version {
        0 => "key-encryption key: its keeper does not answer".to_owned(),
        version => format!("key-encryption key: version {version}"),
    };
    let mut lines = vec![
        current,
        format!("token-vault: {} data keys, {} to wrap anew", vault.data_keys, vault.outdated_wrappings),
    ];
    for (service, keys) in others {
        lines.push(format!("{}: {} keys, {} to wrap anew", service.as_str(), keys.keys, keys.outdated));
    }
    lines.push(format!(
        "old data keys: {}, with {} rows under them",
        vault.outdated_data_keys, vault.outdated_rows
    ));
    let versions = others.iter().map(|(_, keys)| keys.oldest_version).chain([vault.oldest_version]);
    let oldest = versions.filter(|version| *version > 0).min();
    if let Some(oldest) = oldest {
        lines.push(format!("oldest version in use in the databases: {oldest}"));
    }
    if let Some(rotation) = &vault.rotation {
        let state = if rotation.closed_at > 0 { "done" } else { "under way" };
        lines.push(format!(
            "rotation {}: {state}, {} wrapped, {} sealed, {} cannot be opened",
            rotation.number, rotation.rewrapped, rotation.resealed, rotation.unreadable
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_that_is_away_is_said_and_the_oldest_version_of_all_services_counts() {
        let vault = KeyStatusResponse { oldest_version: 3, ..KeyStatusResponse::default() };
        let keys = |oldest_version| StatusResponse { oldest_version, ..StatusResponse::default() };
        let lines = lines(&vault, &[(ServiceName::JobWorker, keys(2)), (ServiceName::FhirGateway, keys(0))]);
        assert_eq!(lines[0], "key-encryption key: its keeper does not answer");
        assert_eq!(lines.last().unwrap(), "oldest version in use in the databases: 2");
    }
}
