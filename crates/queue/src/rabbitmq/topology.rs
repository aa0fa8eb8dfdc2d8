//! What exists on the broker for each queue: the queue, and where its dead letters go.

use lapin::{
    Channel,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};

use super::connection::Link;

/// A message that was delivered so often without an answer is set aside.
const DELIVERY_LIMIT: i32 = 20;

/// Looking at a dead letter counts as a delivery too; the default of newer brokers would drop it after 20 looks.
const DEAD_DELIVERY_LIMIT: i32 = 1_000_000_000;

/// The queue of the dead letters of `name`.
pub(super) fn dead(name: &str) -> String {
    format!("{name}.dead")
}

impl Link {
    /// Makes sure that `name` and its dead letters exist on the broker, once for each connection.
    pub(super) async fn declare(&self, name: &str) -> lapin::Result<()> {
        let mut declared = self.declared.lock().await;
        if !declared.contains(name) {
            let channel = self.channel().await?;
            declare(&channel, &dead(name), dead_arguments()).await?;
            declare(&channel, name, arguments(name)).await?;
            declared.insert(name.to_owned());
        }
        Ok(())
    }

    /// Somebody removed the queue: declare it again before the next use.
    pub(super) async fn forget(&self, name: &str) {
        self.declared.lock().await.remove(name);
    }
}

async fn declare(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments).await?;
    Ok(())
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// Dead letters leave the queue only when the other one has them: at-least-once, which needs `reject-publish`. They go by
/// the default exchange, which nobody can remove or unbind.
fn arguments(name: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments.insert("x-dead-letter-exchange".into(), text(""));
    arguments.insert("x-dead-letter-routing-key".into(), text(&dead(name)));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments
}

fn dead_arguments() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DEAD_DELIVERY_LIMIT));
    arguments
}
