//! The owner's side: tails a table with a gapless sequence into `WatchRevocations`.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use sallyport_model::Clock;
use sallyport_proto::types::v1::{
    Heartbeat, RevocationEvent, WatchRevocationsResponse, watch_revocations_response::Item,
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::Status;

/// How often the table is read: the typical delay of a revocation.
const POLL: Duration = Duration::from_millis(50);

/// How many polls make a heartbeat (once a second).
const POLLS_PER_HEARTBEAT: u32 = 20;

/// How many events may wait for a slow reader before the tail waits for it.
const BUFFER: usize = 256;

/// What one read of the table gave.
pub struct Page {
    /// Rows after the asked sequence number, ascending.
    pub events: Vec<RevocationEvent>,
    /// The highest sequence number that this page covers (the table's highest, unless the page was cut short).
    pub head: i64,
}

/// The boxed stream that a `WatchRevocations` method returns.
pub type Revocations = Pin<Box<dyn Stream<Item = Result<WatchRevocationsResponse, Status>> + Send>>;

/// Streams everything after `after` until the reader goes away. A failed read is not the end: the heartbeat goes on
/// with the time of the last good read, and the reader fails closed when that grows old.
pub fn tail<F, Fut>(after: i64, clock: Arc<dyn Clock>, fetch: F) -> Revocations
where
    F: Fn(i64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<Page>> + Send,
{
    let (send, receive) = tokio::sync::mpsc::channel(BUFFER);
    tokio::spawn(async move {
        let mut position = after;
        let mut head = after;
        let mut read_at = 0;
        let mut polls = 0_u32;
        loop {
            let mut is_behind = false;
            if let Some(page) = fetch(position).await {
                read_at = clock.now();
                head = page.head;
                is_behind = !page.events.is_empty();
                for event in page.events {
                    position = event.sequence;
                    let item = WatchRevocationsResponse { item: Some(Item::Event(event)) };
                    if send.send(Ok(item)).await.is_err() {
                        return;
                    }
                }
            }
            // A heartbeat says "you know all of it": never while there may be more.
            if is_behind {
                continue;
            }
            if polls.is_multiple_of(POLLS_PER_HEARTBEAT) {
                let beat = Heartbeat { head, read_at, sent_at: clock.now() };
                let item = WatchRevocationsResponse { item: Some(Item::Heartbeat(beat)) };
                if send.send(Ok(item)).await.is_err() {
                    return;
                }
            }
            polls = polls.wrapping_add(1);
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = send.closed() => return,
            }
        }
    });
    Box::pin(ReceiverStream::new(receive))
}
