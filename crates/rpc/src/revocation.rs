//! Revocations as both sides see them: the owner tails its table into a stream, the reader keeps what was revoked.
//!
//! A reader that has not heard for five seconds that its owner's table was read is stale and must refuse.

mod rows;
mod tail;
mod watch;

pub use tail::{Page, Revocations, tail};
pub use watch::{STALE_AFTER, Watch};

/// Whether a method's answer never ends by itself. Such an answer is ended with its connection; the reader asks again
/// with the number it has reached.
pub(crate) fn is_endless(path: &str) -> bool {
    path.ends_with("/WatchRevocations")
}
