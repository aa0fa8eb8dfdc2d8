//! A panic's message can hold anything, so only its place is told.

/// Replaces the hook that prints the payload.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "a task panicked");
    }));
}
