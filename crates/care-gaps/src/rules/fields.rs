//! Reading a table key by key: what is missing, of the wrong kind or unknown is told with its place.

use toml::{Table, Value};

/// What is wrong, and where. The place is the key's path; who loads the files finds the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) place: String,
    pub(crate) problem: String,
}

impl Wrong {
    pub(crate) fn at(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

/// A table being read. Every key that is asked for is known; [`Fields::end`] refuses the others.
pub(crate) struct Fields<'t> {
    table: &'t Table,
    place: String,
    known: Vec<&'static str>,
}

impl<'t> Fields<'t> {
    pub(crate) fn of(value: &'t Value, place: &str) -> Result<Self, Wrong> {
        match value.as_table() {
            Some(table) => Ok(Self { table, place: place.to_owned(), known: Vec::new() }),
            None => Err(Wrong::at(place, "this must be a table")),
        }
    }

    /// The path of this table.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The path of a key.
    pub(crate) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.place)
    }

    pub(crate) fn value(&mut self, key: &'static str) -> Option<&'t Value> {
        self.known.push(key);
        self.table.get(key)
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<&'t str>, Wrong> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_str().map(str::trim) {
            Some("") => Err(Wrong::at(self.path(key), "this must not be empty")),
            Some(text) => Ok(Some(text)),
            None => Err(Wrong::at(self.path(key), "this must be a text in quotes")),
        }
    }

    pub(crate) fn required_text(&mut self, key: &'static str) -> Result<&'t str, Wrong> {
        let place = self.place.clone();
        self.text(key)?.ok_or_else(|| Wrong::at(place, format!("\"{key}\" is missing")))
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Result<bool, Wrong> {
        let Some(value) = self.value(key) else { return Ok(false) };
        value.as_bool().ok_or_else(|| Wrong::at(self.path(key), "this must be true or false"))
    }

    pub(crate) fn whole(&mut self, key: &'static str) -> Result<Option<i64>, Wrong> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let number =
            value.as_integer().ok_or_else(|| Wrong::at(self.path(key), "this must be a whole number"));
        number.map(Some)
    }

    /// A list of texts; absent is empty.
    pub(crate) fn texts(&mut self, key: &'static str) -> Result<Vec<&'t str>, Wrong> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        texts(value, &self.path(key))
    }

    /// A table of named tables, in the order of their names; absent is empty.
    pub(crate) fn named(&mut self, key: &'static str) -> Result<Vec<(&'t str, &'t Value)>, Wrong> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        match value.as_table() {
            Some(table) => Ok(table.iter().map(|(name, value)| (name.as_str(), value)).collect()),
            None => Err(Wrong::at(self.path(key), "this must be a table of named tables")),
        }
    }

    /// Something that a function reads from a text.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, Wrong> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        parse(text)
            .map(Some)
            .ok_or_else(|| Wrong::at(self.path(key), format!("\"{text}\" is not {expected}")))
    }

    /// Refuses keys that nobody asked for: a misspelt key must not be a rule without a limit.
    pub(crate) fn end(self) -> Result<(), Wrong> {
        match self.table.keys().find(|key| !self.known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let known = self.known.join(", ");
                Err(Wrong::at(self.path(key), format!("there is no such key here: use one of {known}")))
            }
        }
    }
}

/// A list of texts.
pub(crate) fn texts<'t>(value: &'t Value, place: &str) -> Result<Vec<&'t str>, Wrong> {
    let wrong = || Wrong::at(place, "this must be a list of texts in quotes");
    let list = value.as_array().ok_or_else(wrong)?;
    list.iter()
        .map(|entry| entry.as_str().map(str::trim).filter(|t| !t.is_empty()).ok_or_else(wrong))
        .collect()
}
