//! `sallyport tokens`: what the EHR thinks of a token that the vault holds.

use std::process::ExitCode;

use anyhow::Context;
use sallyport_model::{GrantId, ServiceName};
use sallyport_proto::{
    convert,
    vault::v1::{IntrospectRequest, IntrospectResponse, token_vault_client::TokenVaultClient},
};

use crate::{cli::TokensCommand, operate::refusal, operator};

/// `sallyport tokens`.
///
/// # Errors
/// When no instance answers, or the question is refused.
#[expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]
pub async fn run(command: TokensCommand) -> anyhow::Result<ExitCode> {
    let TokensCommand::Introspect { tenant, grant, place } = command;
    let grant = GrantId::parse(&grant).context("that is not the id of a grant")?;
    let transport = operator::reach(&place, ServiceName::TokenVault).await?;
    let request = IntrospectRequest { tenant, grant_id: convert::id_bytes(grant.uuid()) };
    let answer = TokenVaultClient::new(transport).introspect(request).await;
    let answer = answer.map_err(|status| refusal(&status))?.into_inner();
    println!("{}", line(&answer));
    Ok(if answer.active { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(answer: &IntrospectResponse) -> String {
    if !answer.active {
        return "not active".to_owned();
    }
    let until = match answer.expires_at {
        0 => "an unknown time".to_owned(),
        micros => jiff::Timestamp::from_microsecond(micros).map(|t| t.to_string()).unwrap_or_default(),
    };
    format!("active until {until}; {}", answer.scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_until_when_and_for_what() {
        let scope = "patient/*.rs".to_owned();
        let answer = IntrospectResponse { active: true, scope, expires_at: 1_700_000_000_000_000 };
        assert_eq!(line(&answer), "active until 2023-11-14T22:13:20Z; patient/*.rs");
        assert_eq!(line(&IntrospectResponse { active: false, ..answer.clone() }), "not active");
        assert!(line(&IntrospectResponse { expires_at: 0, ..answer }).contains("an unknown time"));
    }
}
