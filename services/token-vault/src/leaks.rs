//! The planted leaks (docs/ARCHITECTURE.md, "Planted bugs"): each takes the token that is about to be answered to one
//! place where it must never be. Without the feature `planted-bugs` every condition here is the constant `false`.

use sallyport_model::{Secret, planted};

use crate::metrics::VaultMetrics;

/// Leaks into log, span, metric and panic.
#[expect(clippy::panic, reason = "the planted bug is a panic; its condition is constant false in a release")]
pub(crate) fn on_answer(token: &Secret<String>, metrics: &VaultMetrics) {
    if planted!("token-in-log") {
        tracing::info!(reason = token.expose().as_str(), "an access token was handed out");
    }
    if planted!("token-in-span") {
        tracing::Span::current().record("reason", token.expose().as_str());
    }
    if planted!("token-in-metric") {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.expose().as_bytes());
        let fingerprint: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        metrics.access_tokens.inc(&[&fingerprint]);
    }
    if planted!("token-in-panic") {
        let message = format!("no use for {}", token.expose());
        tokio::spawn(async move { std::panic::panic_any(message) });
    }
}

/// Leaks into the text of a refusal.
pub(crate) fn on_refusal(status: tonic::Status, token: Option<&Secret<String>>) -> tonic::Status {
    match token {
        Some(token) if planted!("token-in-error") => {
            let mut leaky = tonic::Status::new(status.code(), format!("refused: {}", token.expose()));
            *leaky.metadata_mut() = status.metadata().clone();
            leaky
        }
        _ => status,
    }
}
