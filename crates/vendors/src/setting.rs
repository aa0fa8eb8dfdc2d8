//! How a fact's value is written: in an endpoint's override, and on the page about the products.

use std::borrow::Cow;

use crate::Fact;

/// Text that a profile brings or an override gives.
pub type Text = Cow<'static, str>;

/// A value with a written form.
pub trait Setting: Sized {
    /// The written form; [`Setting::read`] takes it back.
    fn show(&self) -> String;

    /// Reads a written form; `None` when it is none.
    fn read(text: &str) -> Option<Self>;

    /// What may be written, for an error text.
    fn forms() -> String;
}

/// A fact's written form, and how surely it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The value.
    pub text: String,
    /// How surely it is known.
    pub confidence: crate::Confidence,
}

impl<T: Setting> Fact<T> {
    /// The fact as it is written.
    pub fn shown(&self) -> Shown {
        Shown { text: self.show(), confidence: self.confidence() }
    }

    /// Replaces the fact by an endpoint's own.
    ///
    /// # Errors
    /// What may be written instead.
    pub(crate) fn replace(&mut self, text: &str) -> Result<(), String> {
        *self = Self::overridden(T::read(text).ok_or_else(T::forms)?);
        Ok(())
    }
}

impl Setting for bool {
    fn show(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        }
    }

    fn forms() -> String {
        "true or false".to_owned()
    }
}

macro_rules! number_settings {
    ($($kind:ty),*) => {$(
        impl Setting for $kind {
            fn show(&self) -> String {
                self.to_string()
            }

            fn read(text: &str) -> Option<Self> {
                // Longer digits are a mistake, and sums of such numbers stay far from any limit.
                (text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
            }

            fn forms() -> String {
                "a whole number of at most nine digits".to_owned()
            }
        }
    )*};
}

number_settings!(i64, u32, u64, usize);

impl<T: Setting> Setting for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), Setting::show)
    }

    fn read(text: &str) -> Option<Self> {
        if text == "none" { Some(None) } else { T::read(text).map(Some) }
    }

    fn forms() -> String {
        format!("\"none\", or {}", T::forms())
    }
}

impl Setting for Text {
    fn show(&self) -> String {
        self.clone().into_owned()
    }

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.chars().any(char::is_control)).then(|| Cow::Owned(text.to_owned()))
    }

    fn forms() -> String {
        "a text".to_owned()
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn show(&self) -> String {
        match self.as_slice() {
            [] => "none".to_owned(),
            all => all.iter().map(Setting::show).collect::<Vec<_>>().join(", "),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::new());
        }
        text.split(',').map(|part| T::read(part.trim())).collect()
    }

    fn forms() -> String {
        format!("\"none\", or a list, divided by commas, each {}", T::forms())
    }
}

/// A list of texts that a profile brings.
pub(crate) fn texts(all: &[&'static str]) -> Vec<Text> {
    all.iter().map(|text| Cow::Borrowed(*text)).collect()
}

/// An enumeration whose members have a word each, for overrides and pages.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$member_doc])* $member,)* }

        impl $name {
            /// Every member.
            pub const ALL: &'static [Self] = &[$(Self::$member,)*];

            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$member => $word,)* }
            }
        }

        impl $crate::Setting for $name {
            fn show(&self) -> String {
                self.as_str().to_owned()
            }

            fn read(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.as_str() == text)
            }

            fn forms() -> String {
                format!("one of {}", [$($word,)*].join(", "))
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read_back() {
        assert_eq!(bool::read(&true.show()), Some(true));
        assert_eq!(Option::<u32>::read(&Some(7_u32).show()), Some(Some(7)));
        assert_eq!(Option::<u32>::read(&None::<u32>.show()), Some(None));
        let list = texts(&["a", "b"]);
        assert_eq!(Vec::<Text>::read(&list.show()), Some(list));
        assert_eq!(Vec::<Text>::read("none"), Some(Vec::new()));
    }

    #[test]
    fn what_is_not_a_form_is_not_read() {
        for bad in ["", "-1", "1.5", "0x10", "10000000000", " 1", "١"] {
            assert_eq!(i64::read(bad), None, "{bad:?}");
        }
        assert_eq!(bool::read("TRUE"), None);
        assert_eq!(Vec::<u32>::read("1,,2"), None);
        assert_eq!(Text::read("a\nb"), None);
    }
}
