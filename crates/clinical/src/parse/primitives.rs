//! Strings that borrow, lists that forgive `null`, decimals kept as written.

use std::{borrow::Cow, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// A JSON string, borrowed unless it holds an escape. (`Option<Cow<str>>` would copy always.)
#[derive(Clone)]
pub(crate) struct Str<'a>(Cow<'a, str>);

impl<'a> Str<'a> {
    /// As sent.
    pub(crate) fn into_sent(self) -> Cow<'a, str> {
        self.0
    }

    /// Without blanks around it; `None` when nothing is left (Epic sends trailing spaces, others empty strings).
    pub(crate) fn text(&self) -> Option<&str> {
        let text: &str = &self.0;
        // Nearly every string needs no trimming, and looking for Unicode's blanks costs more than looking at two bytes.
        match text.as_bytes() {
            [] => None,
            [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => Some(text),
            _ => Some(text.trim()).filter(|text| !text.is_empty()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text))
            }
        }
        deserializer.deserialize_str(Visitor).map(Self)
    }
}

/// Trimmed text of an optional string.
pub(crate) fn text<'s>(value: &'s Option<Str<'_>>) -> Option<&'s str> {
    value.as_ref().and_then(Str::text)
}

/// Trimmed, owned text of an optional string.
pub(crate) fn owned(value: &Option<Str<'_>>) -> Option<String> {
    text(value).map(ToOwned::to_owned)
}

/// A repeating element; `null` is an empty one and `null` entries (legal beside `_name`) are skipped.
pub(crate) struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for List<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Vec<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list")
            }
            fn visit_none<E>(self) -> Result<Vec<T>, E> {
                Ok(Vec::new())
            }
            fn visit_unit<E>(self) -> Result<Vec<T>, E> {
                Ok(Vec::new())
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
                deserializer.deserialize_seq(self)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = entries.next_element::<Option<T>>()? {
                    list.extend(entry);
                }
                Ok(list)
            }
        }
        deserializer.deserialize_option(Visitor(PhantomData)).map(Self)
    }
}

/// A number as written: `8.10` stays `8.10` (R4 datatypes §decimal: precision is meaningful).
#[derive(Clone, Copy)]
pub(crate) struct Number<'a>(&'a str);

impl<'a> Number<'a> {
    /// As written.
    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Number<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        // Some servers send numbers as strings: the same text, if it is a number.
        let number = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')).unwrap_or(raw);
        let numeric =
            number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
        if numeric && number.parse::<f64>().is_ok_and(f64::is_finite) {
            Ok(Self(number))
        } else {
            Err(de::Error::custom("not a number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_borrow_when_they_can() {
        let plain: Str<'_> = serde_json::from_str(r#""plain""#).unwrap();
        assert!(matches!(plain.0, Cow::Borrowed("plain")));
        let escaped: Str<'_> = serde_json::from_str(r#""a\"b""#).unwrap();
        assert_eq!(escaped.text(), Some("a\"b"));
        let blank: Str<'_> = serde_json::from_str(r#""  ""#).unwrap();
        assert_eq!(blank.text(), None);
    }

    #[test]
    fn decimals_stay_as_written_and_nothing_else_passes_for_a_number() {
        for (json, expected) in [("8.10", "8.10"), ("-0.0", "-0.0"), ("1e3", "1e3"), ("\"5.40\"", "5.40")] {
            assert_eq!(serde_json::from_str::<Number<'_>>(json).map(Number::as_str).ok(), Some(expected));
        }
        for bad in ["\"high\"", "true", "{}", "\"\"", "\"NaN\"", "\"inf\"", "1e999"] {
            assert!(serde_json::from_str::<Number<'_>>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_forgives_null() {
        assert_eq!(serde_json::from_str::<List<u8>>("null").unwrap().len(), 0);
        assert_eq!(&*serde_json::from_str::<List<u8>>("[1,null,2]").unwrap(), [1, 2]);
    }
}
