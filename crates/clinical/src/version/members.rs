//! An object's members as raw text: what the tables of the versions rename and rewrap without reading values.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// The members of one object, in the order sent. Repeated names stay, so that the reader still refuses them.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Members<'a> {
    /// `None` when the text is no object.
    pub(super) fn parse(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Renames a primitive or complex element, and what stands beside it.
    pub(super) fn rename(&mut self, from: &'static str, to: &'static str) {
        for (name, _) in &mut self.0 {
            if name == from {
                *name = Cow::Borrowed(to);
            } else if name.strip_prefix('_') == Some(from) {
                *name = Cow::Owned(format!("_{to}"));
            }
        }
    }

    /// Takes a member out.
    pub(super) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// The text of a string member that holds no escape: what codes are.
    pub(super) fn code(&self, name: &str) -> Option<&str> {
        let (_, raw) = self.0.iter().find(|(n, _)| n == name)?;
        unquoted(raw)
    }

    /// Adds a member, unless one of that name was sent.
    pub(super) fn put(&mut self, name: &'static str, json: impl Into<Cow<'a, str>>) {
        if !self.0.iter().any(|(n, _)| n == name) {
            self.0.push((Cow::Borrowed(name), json.into()));
        }
    }

    /// Puts another text in a member's place; a member that `change` does not understand stays as sent, for the reader
    /// to refuse.
    pub(super) fn change(&mut self, name: &str, change: impl Fn(&str) -> Option<String>) {
        for (_, raw) in self.0.iter_mut().filter(|(n, _)| n == name) {
            if let Some(changed) = change(raw) {
                *raw = Cow::Owned(changed);
            }
        }
    }

    /// Changes every entry of a list of objects.
    pub(super) fn each(&mut self, name: &str, change: impl Fn(&mut Members<'_>)) {
        self.change(name, |raw| {
            let entries: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            joined(entries.iter().map(|entry| match Members::parse(entry.get()) {
                Some(mut members) => {
                    change(&mut members);
                    Cow::Owned(members.into_json())
                }
                None => Cow::Borrowed(entry.get()),
            }))
        });
    }

    /// Changes one object.
    pub(super) fn inside(&mut self, name: &str, change: impl Fn(&mut Members<'_>)) {
        self.change(name, |raw| {
            let mut members = Members::parse(raw)?;
            change(&mut members);
            Some(members.into_json())
        });
    }

    /// One entry where R4 has a list.
    pub(super) fn listed(&mut self, name: &str) {
        self.change(name, |raw| (!raw.starts_with(['[', 'n'])).then(|| format!("[{raw}]")));
    }

    /// A code where R4 has a concept.
    pub(super) fn concept(&mut self, name: &str) {
        self.change(name, |raw| raw.starts_with('"').then(|| format!(r#"{{"coding":[{{"code":{raw}}}]}}"#)));
    }

    /// A string where R4 has a list of annotations.
    pub(super) fn annotation(&mut self, name: &str) {
        self.change(name, |raw| raw.starts_with('"').then(|| format!(r#"[{{"text":{raw}}}]"#)));
    }

    /// The object's JSON.
    pub(super) fn into_json(self) -> String {
        let size = self.0.iter().map(|(name, raw)| name.len() + raw.len() + 4).sum::<usize>();
        let mut json = String::with_capacity(size + 2);
        json.push('{');
        for (index, (name, raw)) in self.0.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            json.push_str(&quoted(name));
            json.push(':');
            json.push_str(raw);
        }
        json.push('}');
        json
    }
}

/// The entries of a raw list; nothing when it is none.
pub(super) fn entries(raw: &str) -> Vec<&str> {
    let entries: Vec<&RawValue> = serde_json::from_str(raw).unwrap_or_default();
    entries.into_iter().map(RawValue::get).collect()
}

/// A raw list of raw entries.
pub(super) fn joined<'e>(entries: impl IntoIterator<Item = Cow<'e, str>>) -> Option<String> {
    let entries: Vec<Cow<'e, str>> = entries.into_iter().collect();
    Some(format!("[{}]", entries.join(",")))
}

/// The text between the quotes of a raw string without escapes.
pub(super) fn unquoted(raw: &str) -> Option<&str> {
    raw.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains('\\'))
}

/// A string as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<crate::parse::primitives::Str<'de>>()? {
                    members.push((name.into_sent(), Cow::Borrowed(map.next_value::<&'de RawValue>()?.get())));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
