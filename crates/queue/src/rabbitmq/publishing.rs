//! Publishing with confirms: one message at a time on each channel, many channels.
//!
//! The broker returns an unroutable message and then confirms it. The client library hands a returned message to
//! whichever confirm it resolves next, so with several messages on one channel the wrong one would count as lost and
//! the lost one as kept. One message on a channel at a time leaves no doubt, and channels are cheap.

use std::sync::PoisonError;

use lapin::{
    Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};

use super::{
    connection::{Failure, Link},
    wire,
};
use crate::{Message, PublishError};

impl Link {
    /// Publishes to the queue called `name` on the broker, declaring it if needed. Bounded by the caller.
    pub(super) async fn publish(&self, name: &str, message: &Message) -> Result<(), PublishError> {
        let _lane = self.lanes.acquire().await.map_err(|_closed| PublishError::Unavailable)?;
        match self.confirmed(name, message).await {
            // Acked, and yet nobody has it.
            Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))) => {
                self.forget(name).await;
                Err(PublishError::Unroutable)
            }
            Ok(Confirmation::Ack(None)) => Ok(()),
            Ok(Confirmation::Nack(None)) => Err(PublishError::Rejected),
            // Cannot be on a channel in confirm mode; nobody has promised anything.
            Ok(Confirmation::NotRequested) => Err(PublishError::Unavailable),
            Err(error) => {
                tracing::warn!(reason = Failure::of(&error).0, "a message could not be handed to the broker");
                Err(PublishError::Unavailable)
            }
        }
    }

    async fn confirmed(&self, name: &str, message: &Message) -> lapin::Result<Confirmation> {
        self.declare(name).await?;
        // Out of the pool while it is in use: a caller that goes away half-way takes the channel with it, and the
        // late confirm cannot be taken for that of another message.
        let channel = self.take_channel().await?;
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let properties = wire::properties(message);
        let confirm =
            channel.basic_publish("".into(), name.into(), options, &message.body, properties).await?;
        let confirmation = confirm.await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
        Ok(confirmation)
    }

    async fn take_channel(&self) -> lapin::Result<Channel> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(channel) = idle.filter(|channel| channel.status().connected()) {
            return Ok(channel);
        }
        let channel = self.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }
}
