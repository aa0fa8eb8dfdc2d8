//! A consumer that outlives connections: whenever there is one, it consumes over it.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use lapin::{
    Acker, Channel,
    message::Delivery as Arrived,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions,
    },
    types::FieldTable,
};
use sallyport_resilience::Backoff;
use tokio::{runtime::Handle, sync::mpsc, time::timeout};

use super::{
    Inner,
    connection::{Failure, Link},
    supervisor::jitter,
    wire,
};
use crate::{Delivery, Settle, Settlement};

/// For one exchange with the broker, such as a declaration or an acknowledgement.
const STEP: Duration = Duration::from_secs(10);

/// Between attempts over a connection that stands but does not let us consume.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));

/// Moves messages of the queue called `name` to one consumer until that is gone.
pub(super) async fn feed(inner: Arc<Inner>, name: String, consumer: mpsc::Sender<Delivery>) {
    let mut links = inner.links.clone();
    let mut attempt = 0;
    loop {
        let link = tokio::select! {
            link = links.wait_for(Option::is_some) => match link {
                Ok(link) => link.clone(),
                Err(_supervisor_gone) => return,
            },
            () = consumer.closed() => return,
        };
        let Some(link) = link else { continue };
        let opened = timeout(STEP, open(&link, &name, inner.settings.prefetch)).await;
        let failure = match opened {
            Ok(Ok((channel, stream))) => {
                attempt = 0;
                match forward(&channel, stream, &consumer).await {
                    Some(failure) => failure,
                    None => return,
                }
            }
            Ok(Err(error)) => Failure::of(&error),
            Err(_elapsed) => Failure("timeout"),
        };
        // It may be that the queue was removed.
        link.forget(&name).await;
        drop(link);
        tracing::warn!(reason = failure.0, attempt, "messages cannot be received, trying again");
        tokio::select! {
            () = tokio::time::sleep(BACKOFF.delay(attempt, jitter())) => {}
            () = consumer.closed() => return,
        }
        attempt = attempt.saturating_add(1);
    }
}

async fn open(link: &Link, name: &str, prefetch: u16) -> lapin::Result<(Channel, lapin::Consumer)> {
    link.declare(name).await?;
    let channel = link.channel().await?;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(name.into(), "".into(), options, FieldTable::default()).await?;
    Ok((channel, consumer))
}

/// `None` when the consumer is gone, otherwise why nothing more comes over this channel.
async fn forward(
    channel: &Channel,
    mut stream: lapin::Consumer,
    consumer: &mpsc::Sender<Delivery>,
) -> Option<Failure> {
    loop {
        let place = consumer.reserve().await;
        let arrived = tokio::select! {
            arrived = stream.next() => arrived,
            () = consumer.closed() => {
                give_back(channel, stream).await;
                return None;
            }
        };
        match arrived {
            Some(Ok(arrived)) => {
                let Some(delivery) = delivery(channel, arrived).await else { continue };
                match place {
                    Ok(place) => place.send(delivery),
                    // Dropped, and with that given back.
                    Err(_gone) => drop(delivery),
                }
            }
            Some(Err(error)) => return Some(Failure::of(&error)),
            None => return Some(Failure("cancelled")),
        }
    }
}

/// What was prefetched for a consumer that went away goes to others at once. Its deliveries in hand can still be settled.
async fn give_back(channel: &Channel, mut stream: lapin::Consumer) {
    let cancel = channel.basic_cancel(stream.tag(), BasicCancelOptions::default());
    let giving = async {
        cancel.await?;
        while let Some(arrived) = stream.next().await {
            arrived?.acker.reject(BasicRejectOptions { requeue: true }).await?;
        }
        Ok::<(), lapin::Error>(())
    };
    let _the_broker_does_it_when_the_channel_is_gone = timeout(STEP, giving).await;
}

async fn delivery(channel: &Channel, arrived: Arrived) -> Option<Delivery> {
    let Arrived { properties, data, acker, .. } = arrived;
    let Some(message) = wire::message(&properties, data) else {
        tracing::error!("a message that none of our services published is set aside");
        let _lost_with_the_channel = timeout(STEP, acker.reject(BasicRejectOptions { requeue: false })).await;
        return None;
    };
    let held = Held { acker, runtime: Handle::current(), _channel: channel.clone() };
    Some(Delivery::new(message, Box::new(held)))
}

struct Held {
    acker: Acker,
    runtime: Handle,
    /// Stays open while a delivery is in hand, though its consumer has gone.
    _channel: Channel,
}

impl Held {
    /// `reject` in every case but success: it counts against the delivery limit, `nack` does not in newer brokers, and
    /// a message that kills its consumer would come for ever.
    async fn tell(&self, settlement: Settlement) {
        let requeue = settlement == Settlement::Requeue;
        let told = async {
            match settlement {
                Settlement::Ack => self.acker.ack(BasicAckOptions::default()).await,
                Settlement::Reject | Settlement::Requeue => {
                    self.acker.reject(BasicRejectOptions { requeue }).await
                }
            }
        };
        let _delivered_again_when_the_connection_is_gone = timeout(STEP, told).await;
    }
}

#[async_trait::async_trait]
impl Settle for Held {
    async fn settle(self: Box<Self>, settlement: Settlement) {
        self.tell(settlement).await;
    }

    fn abandon(self: Box<Self>) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move { self.tell(Settlement::Requeue).await });
    }
}
