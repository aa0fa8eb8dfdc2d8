//! The shape of resources: which elements are there and of which JSON kind, from which code systems, with which extensions.
//! Never a value: what is kept is names of elements and addresses of definitions, checked to be such.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// More different marks of one type are not kept: a server that makes up element names does not fill our memory.
const MOST_MARKS: usize = 2_000;
/// Deeper elements are not told apart.
const DEEPEST: usize = 10;
/// Longest element name, and longest address.
const LONGEST_NAME: usize = 64;
const LONGEST_ADDRESS: usize = 200;

/// What a number of resources of one type look like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// How many were looked at.
    pub sampled: u64,
    /// A mark and how many of them show it: `element code.coding.code text`, `system code.coding http://loinc.org`,
    /// `extension http://…`, `modifier http://…`, `profile http://…`.
    pub marks: BTreeMap<String, u64>,
}

impl Shape {
    /// Adds one resource; `false` when its text is not a JSON object.
    pub fn add(&mut self, text: &str) -> bool {
        let mut found = BTreeSet::new();
        let walk = Walk { found: &mut found, path: &mut Vec::new(), wants: Wants::Nothing };
        let mut reader = serde_json::Deserializer::from_str(text);
        if !text.trim_start().starts_with('{') || walk.deserialize(&mut reader).is_err() {
            return false;
        }
        self.sampled += 1;
        for mark in found {
            self.count(mark, 1);
        }
        true
    }

    /// Adds what another place has seen.
    pub fn merge(&mut self, other: &Self) {
        self.sampled += other.sampled;
        for (mark, count) in &other.marks {
            self.count(mark.clone(), *count);
        }
    }

    fn count(&mut self, mark: String, more: u64) {
        if self.marks.len() < MOST_MARKS || self.marks.contains_key(&mark) {
            *self.marks.entry(mark).or_default() += more;
        }
    }
}

/// Which kind of address a text may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Nothing,
    System,
    Extension,
    Modifier,
    Profile,
}

struct Walk<'w, 'a> {
    found: &'w mut BTreeSet<String>,
    path: &'w mut Vec<Cow<'a, str>>,
    wants: Wants,
}

impl<'a> Walk<'_, 'a> {
    fn element(&mut self, kind: &str) {
        if !self.path.is_empty() && self.path.len() <= DEEPEST {
            self.found.insert(format!("element {} {kind}", self.path.join(".")));
        }
    }

    fn text(&mut self, value: &str) {
        self.element("text");
        let mark = match self.wants {
            Wants::Nothing => return,
            Wants::System => {
                let (_, above) = self.path.split_last().unwrap_or((&Cow::Borrowed(""), &[]));
                format!("system {}", above.join("."))
            }
            Wants::Extension => "extension".to_owned(),
            Wants::Modifier => "modifier".to_owned(),
            Wants::Profile => "profile".to_owned(),
        };
        if is_address(value) {
            self.found.insert(format!("{mark} {value}"));
        }
    }

    /// What the text under a name would be.
    fn wanted(&self, name: &str) -> Wants {
        match (self.path.last().map(AsRef::as_ref), name) {
            (_, "system") => Wants::System,
            (Some("extension"), "url") => Wants::Extension,
            (Some("modifierExtension"), "url") => Wants::Modifier,
            (Some("meta"), "profile") => Wants::Profile,
            _ => Wants::Nothing,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(mut self, value: &str) -> Result<(), E> {
        self.text(value);
        Ok(())
    }

    fn visit_bool<E>(mut self, _: bool) -> Result<(), E> {
        self.element("flag");
        Ok(())
    }

    fn visit_i64<E>(mut self, _: i64) -> Result<(), E> {
        self.element("number");
        Ok(())
    }

    fn visit_u64<E>(mut self, _: u64) -> Result<(), E> {
        self.element("number");
        Ok(())
    }

    fn visit_f64<E>(mut self, _: f64) -> Result<(), E> {
        self.element("number");
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        // An element and a list of it are one element here: FHIR's own JSON decides which it is.
        loop {
            let walk = Walk { found: self.found, path: self.path, wants: self.wants };
            if items.next_element_seed(walk)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.element("object");
        while let Some(name) = members.next_key::<Name<'de>>()? {
            // What is no element's name could be anything, a value among it.
            if !is_name(&name.0) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let wants = self.wanted(&name.0);
            self.path.push(name.0);
            let walked = members.next_value_seed(Walk { found: self.found, path: self.path, wants });
            self.path.pop();
            walked?;
        }
        Ok(())
    }
}

/// A name, borrowed where it is written without escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
                Ok(Cow::Borrowed(name))
            }
            fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
                Ok(Cow::Owned(name.to_owned()))
            }
        }
        deserializer.deserialize_str(Reader).map(Name)
    }
}

fn is_name(name: &str) -> bool {
    let plain = name.strip_prefix('_').unwrap_or(name);
    (1..=LONGEST_NAME).contains(&plain.len())
        && plain.starts_with(|first: char| first.is_ascii_alphabetic())
        && plain.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// An absolute address of a definition, without a query: nothing that a person's data could hide in.
fn is_address(text: &str) -> bool {
    let is_absolute = ["http://", "https://", "urn:oid:", "urn:uuid:", "urn:ietf:", "urn:iso:"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    is_absolute
        && text.len() <= LONGEST_ADDRESS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/$|".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONDITION: &str = r#"{"resourceType":"Condition","id":"secret-id","meta":{"profile":["http://p/1"]},
        "extension":[{"url":"http://v/ext","valueString":"Jane Roe"}],
        "code":{"coding":[{"system":"http://loinc.org","code":"1-2"},{"system":"Jane Roe","code":"9"}],"text":"Jane Roe"},
        "onsetAge":{"value":40.5},"verified":true,"_status":{"id":"x"},
        "Jane Roe":{"code":"z"},"subject":{"reference":"Patient/secret-id"}}"#;

    fn of(texts: &[&str]) -> Shape {
        let mut shape = Shape::default();
        assert!(texts.iter().all(|text| shape.add(text)));
        shape
    }

    #[test]
    fn elements_systems_and_extensions_are_kept() {
        let shape = of(&[CONDITION]);
        for mark in [
            "element code object",
            "element code.coding.code text",
            "element onsetAge.value number",
            "element verified flag",
            "element _status.id text",
            "element extension.valueString text",
            "system code.coding http://loinc.org",
            "extension http://v/ext",
            "profile http://p/1",
        ] {
            assert_eq!(shape.marks.get(mark), Some(&1), "{mark} in {shape:#?}");
        }
    }

    #[test]
    fn no_value_is_kept_wherever_it_stands() {
        let text = format!("{:?}", of(&[CONDITION]));
        for value in ["secret-id", "Jane", "40", "1-2"] {
            assert!(!text.contains(value), "{value} is in {text}");
        }
        for odd in [
            "http://x/?patient=Jane",
            "http://x/#a",
            "http://x/a b",
            "urn:patient:jane",
            "mailto:a@b",
            "phone",
        ] {
            assert!(!is_address(odd), "{odd}");
        }
    }

    #[test]
    fn each_resource_counts_once_and_what_places_saw_is_added() {
        let twice = r#"{"resourceType":"X","a":[{"b":1},{"b":2}]}"#;
        let mut shape = of(&[twice, r#"{"resourceType":"X"}"#]);
        assert_eq!((shape.sampled, shape.marks["element a.b number"]), (2, 1));
        shape.merge(&of(&[twice]));
        assert_eq!((shape.sampled, shape.marks["element a.b number"]), (3, 2));
        assert!(!shape.add("[]") && !shape.add("{"));
        assert_eq!(shape.sampled, 3);
    }

    #[test]
    fn made_up_names_and_depth_end_somewhere() {
        let mut shape = Shape::default();
        for n in 0..3_000 {
            shape.add(&format!(r#"{{"resourceType":"X","n{n}":1}}"#));
        }
        assert!(shape.marks.len() <= MOST_MARKS);
        let deep = format!("{}1{}", r#"{"a":"#.repeat(40), "}".repeat(40));
        assert!(of(&[deep.as_str()]).marks.len() <= DEEPEST);
    }
}
