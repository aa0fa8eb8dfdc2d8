//! What an operator does with messages that nobody could take: look at them, never at their bodies, and send them again.

use std::{sync::PoisonError, time::Duration};

use lapin::options::{BasicAckOptions, BasicGetOptions};
use tokio::time::timeout;
use uuid::Uuid;

use super::{RabbitMq, topology, wire};
use crate::{Headers, PublishError};

/// For looking, and for moving one message.
const STEP: Duration = Duration::from_secs(10);

/// A message that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's id, unless a stranger published it.
    pub id: Option<Uuid>,
    /// Its headers: trace context and the like.
    pub headers: Headers,
    /// The length of its body, which is not shown.
    pub bytes: usize,
    /// Why: `rejected`, `delivery_limit`, or another word of the broker.
    pub reason: String,
}

/// Why dead letters could not be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeadLetterError {
    /// The broker is not there or does not answer.
    #[error("the queue is not available, try again when it is back")]
    Unavailable,
    /// The queue did not take a message back; it is still among the dead letters, `moved` before it are not.
    #[error("the queue did not take a message back after {moved}: {reason}")]
    NotTaken {
        /// How many had been sent again by then.
        moved: u32,
        /// What the queue said.
        reason: PublishError,
    },
}

impl RabbitMq {
    /// Up to `limit` dead letters of `queue`. They stay among the dead letters, perhaps in another order.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn dead_letters(&self, queue: &str, limit: u32) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let name = self.name(queue);
        let looking = async {
            let link = self.inner.link().await.ok_or(DeadLetterError::Unavailable)?;
            let looked = async {
                link.declare(&name).await?;
                // Closed at the end without an acknowledgement: everything goes back.
                let channel = link.channel().await?;
                let mut found = Vec::new();
                for _ in 0..limit {
                    let options = BasicGetOptions::default();
                    let got = channel.basic_get(topology::dead(&name).as_str().into(), options).await?;
                    let Some(got) = got else { break };
                    found.push(DeadLetter {
                        id: wire::id(&got.properties),
                        headers: wire::headers(&got.properties),
                        bytes: got.data.len(),
                        reason: wire::broker_header(&got.properties, "x-first-death-reason")
                            .unwrap_or_default(),
                    });
                }
                channel.close(200, "OK".into()).await?;
                Ok::<_, lapin::Error>(found)
            };
            looked.await.map_err(|_lost| DeadLetterError::Unavailable)
        };
        timeout(STEP, looking).await.unwrap_or(Err(DeadLetterError::Unavailable))
    }

    /// Sends up to `max` dead letters of `queue` to its consumers again and says how many it were. Killed half-way, one message may be in both places: consumers know it by its id.
    ///
    /// # Errors
    /// When the broker does not answer or does not take one back.
    pub async fn redrive(&self, queue: &str, max: u32) -> Result<u32, DeadLetterError> {
        let name = self.name(queue);
        let mut moved = 0;
        while moved < max {
            let moving = self.redrive_one(&name, moved);
            match timeout(STEP, moving).await.unwrap_or(Err(DeadLetterError::Unavailable))? {
                true => moved += 1,
                false => break,
            }
        }
        Ok(moved)
    }

    /// `false` when there is none.
    async fn redrive_one(&self, name: &str, moved: u32) -> Result<bool, DeadLetterError> {
        let link = self.inner.link().await.ok_or(DeadLetterError::Unavailable)?;
        let getting = async {
            link.declare(name).await?;
            let channel = link.channel().await?;
            let dead = topology::dead(name);
            let got = channel.basic_get(dead.as_str().into(), BasicGetOptions::default()).await?;
            Ok::<_, lapin::Error>(got.map(|got| (channel, got)))
        };
        let Some((_channel, got)) = getting.await.map_err(|_lost| DeadLetterError::Unavailable)? else {
            return Ok(false);
        };
        let delivery = got.delivery;
        let Some(message) = wire::message(&delivery.properties, delivery.data) else {
            // A stranger's would only come back.
            return Err(DeadLetterError::NotTaken { moved, reason: PublishError::Rejected });
        };
        let published = link.publish(name, &message).await;
        published.map_err(|reason| DeadLetterError::NotTaken { moved, reason })?;
        let acked = delivery.acker.ack(BasicAckOptions::default()).await;
        acked.map_err(|_lost| DeadLetterError::Unavailable)?;
        Ok(true)
    }

    /// Removes a queue of a test, and its dead letters.
    #[doc(hidden)]
    pub async fn remove(&self, queue: &str) {
        let Some(link) = self.inner.link().await else { return };
        let Ok(channel) = link.channel().await else { return };
        let name = self.name(queue);
        for name in [topology::dead(&name), name] {
            let _gone_already = channel.queue_delete(name.as_str().into(), Default::default()).await;
        }
        link.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
