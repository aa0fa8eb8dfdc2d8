//! Our message as AMQP properties and back.

use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use uuid::Uuid;

use crate::{Headers, Message};

/// Survives a restart of the broker.
const PERSISTENT: u8 = 2;

pub(super) fn properties(message: &Message) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in &message.headers {
        headers.insert(name.as_str().into(), AMQPValue::LongString(value.as_str().into()));
    }
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(message.id.as_hyphenated().to_string().as_str().into())
        .with_headers(headers)
}

/// `None` when it was not published by one of us.
pub(super) fn message(properties: &BasicProperties, body: Vec<u8>) -> Option<Message> {
    Some(Message { id: id(properties)?, body: Bytes::from(body), headers: headers(properties) })
}

pub(super) fn id(properties: &BasicProperties) -> Option<Uuid> {
    let id = properties.message_id().as_ref()?;
    Uuid::parse_str(id.as_str()).ok()
}

/// The publisher's headers; those that the broker adds begin with `x-`.
pub(super) fn headers(properties: &BasicProperties) -> Headers {
    let all = properties.headers().iter().flat_map(|table| table.inner());
    let ours = all.filter(|(name, _)| !name.as_str().starts_with("x-"));
    ours.filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect()
}

/// A header that the broker set.
pub(super) fn broker_header(properties: &BasicProperties, name: &str) -> Option<String> {
    properties.headers().as_ref()?.inner().get(name).and_then(text)
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_went() {
        let mut sent = Message::new(Uuid::from_u128(7), "body");
        sent.headers.insert("traceparent".to_owned(), "00-1-2-01".to_owned());
        let properties = properties(&sent);
        assert_eq!(properties.delivery_mode(), &Some(PERSISTENT));
        assert_eq!(message(&properties, b"body".to_vec()), Some(sent));
    }

    #[test]
    fn what_the_broker_added_is_not_a_header_of_ours() {
        let mut table = FieldTable::default();
        table.insert("x-first-death-reason".into(), AMQPValue::LongString("rejected".into()));
        table.insert("x-delivery-count".into(), AMQPValue::LongLongInt(2));
        let properties = BasicProperties::default().with_headers(table);
        assert_eq!(headers(&properties), Headers::new());
        assert_eq!(broker_header(&properties, "x-first-death-reason").as_deref(), Some("rejected"));
    }

    #[test]
    fn a_message_of_a_stranger_is_recognised() {
        let stranger = BasicProperties::default().with_message_id("42".into());
        assert_eq!(message(&stranger, Vec::new()), None);
        assert_eq!(message(&BasicProperties::default(), Vec::new()), None);
    }
}
