//! Loading foreign records from a folder: Bundles (`.json`) and NDJSON.
//!
//! Entries that refer to each other by `urn:uuid:` are rewritten to `Type/id`, as a server does when it
//! processes a transaction (<https://hl7.org/fhir/R4/http.html#trules>). Files are taken in the order of
//! their names so that the same folder always gives the same records.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Malformed, Records, is_id};

/// What an import brought in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Files read.
    pub files: usize,
    /// Resources stored.
    pub resources: usize,
}

/// Why a folder could not be imported. The path is shown; what the file says is not.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The folder or a file cannot be read.
    #[error("cannot read {path}: check that it exists and may be read")]
    Read {
        /// What was being read.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file is not JSON.
    #[error("{path} line {line} is not valid JSON: repair or remove the file")]
    Json {
        /// The file.
        path: PathBuf,
        /// The line at which reading stopped.
        line: usize,
    },
    /// A file holds something other than FHIR resources.
    #[error("{path} cannot be imported: {source}")]
    Resource {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Malformed,
    },
}

impl Records {
    /// Loads every `.json` (Bundle or single resource) and `.ndjson` file of a folder.
    pub fn import(&mut self, dir: &Path) -> Result<Imported, ImportError> {
        let mut done = Imported::default();
        for path in files(dir)? {
            let text = fs::read_to_string(&path)
                .map_err(|source| ImportError::Read { path: path.clone(), source })?;
            let resources = match path.extension().and_then(|e| e.to_str()) {
                Some("ndjson") => lines(&path, &text)?,
                _ => document(&path, &text)?,
            };
            done.files += 1;
            for resource in resources {
                self.insert(resource)
                    .map_err(|source| ImportError::Resource { path: path.clone(), source })?;
                done.resources += 1;
            }
        }
        Ok(done)
    }
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let failed = |source| ImportError::Read { path: dir.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == "json" || e == "ndjson") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn lines(path: &Path, text: &str) -> Result<Vec<Value>, ImportError> {
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered.map(|(at, line)| parse(path, line, at)).collect()
}

fn document(path: &Path, text: &str) -> Result<Vec<Value>, ImportError> {
    let mut value = parse(path, text, 0)?;
    if value.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return Ok(vec![value]);
    }
    let Some(Value::Array(entries)) = value.get_mut("entry").map(Value::take) else { return Ok(Vec::new()) };
    Ok(unbundle(entries))
}

fn parse(path: &Path, text: &str, before: usize) -> Result<Value, ImportError> {
    serde_json::from_str(text)
        .map_err(|error| ImportError::Json { path: path.to_owned(), line: before + error.line() })
}

/// The entries' resources with ids given where missing and references between entries made literal.
fn unbundle(entries: Vec<Value>) -> Vec<Value> {
    let mut names = HashMap::new();
    let mut resources = Vec::new();
    for mut entry in entries {
        let Some(mut resource) = entry.get_mut("resource").map(Value::take) else { continue };
        let full_url = entry.get("fullUrl").and_then(Value::as_str).unwrap_or_default();
        let Some(kind) = resource.get("resourceType").and_then(Value::as_str).map(str::to_owned) else {
            resources.push(resource);
            continue;
        };
        let own = resource.get("id").and_then(Value::as_str).map(str::to_owned);
        // In a transaction the client's ids need not be ids a server accepts; the urn's UUID always is one.
        let given = full_url.strip_prefix("urn:uuid:").map(str::to_owned);
        let id = own.filter(|id| is_id(id)).or(given).filter(|id| is_id(id));
        if let (Some(id), Some(body)) = (id, resource.as_object_mut()) {
            if !full_url.is_empty() {
                names.insert(full_url.to_owned(), format!("{kind}/{id}"));
            }
            body.insert("id".to_owned(), Value::String(id));
        }
        resources.push(resource);
    }
    resources.iter_mut().for_each(|resource| rewrite(resource, &names));
    resources
}

fn rewrite(value: &mut Value, names: &HashMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (member, inner) in members.iter_mut() {
                if let Value::String(text) = inner {
                    // `url` too: attachments point at Binary entries of the same Bundle.
                    if (member == "reference" || member == "url")
                        && let Some(literal) = names.get(text.as_str())
                    {
                        text.clone_from(literal);
                    }
                } else {
                    rewrite(inner, names);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn a_transaction_bundle_is_loaded_with_its_references_made_literal() {
        let dir = folder(&[(
            "a.json",
            r#"{"resourceType":"Bundle","type":"transaction","entry":[
              {"fullUrl":"urn:uuid:11111111-1111-4111-8111-111111111111",
               "resource":{"resourceType":"Patient","name":[{"family":"Ash"}]}},
              {"fullUrl":"urn:uuid:22222222-2222-4222-8222-222222222222",
               "resource":{"resourceType":"Condition","id":"c1",
                 "subject":{"reference":"urn:uuid:11111111-1111-4111-8111-111111111111"}}}]}"#,
        )]);
        let mut records = Records::default();
        assert_eq!(records.import(dir.path()).unwrap(), Imported { files: 1, resources: 2 });
        let condition = records.read("Condition", "c1").unwrap();
        assert_eq!(condition["subject"]["reference"], "Patient/11111111-1111-4111-8111-111111111111");
        assert_eq!(records.of_patient("Condition", "11111111-1111-4111-8111-111111111111").count(), 1);
    }

    #[test]
    fn ndjson_is_loaded_line_by_line_and_other_files_are_left_alone() {
        let dir = folder(&[
            (
                "p.ndjson",
                "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n",
            ),
            ("notes.txt", "not json"),
        ]);
        let mut records = Records::default();
        assert_eq!(records.import(dir.path()).unwrap(), Imported { files: 1, resources: 2 });
        assert!(records.read("Patient", "p2").is_some());
    }

    #[test]
    fn a_collection_keeps_the_ids_it_has() {
        let dir = folder(&[(
            "c.json",
            r#"{"resourceType":"Bundle","type":"collection","entry":[
              {"fullUrl":"https://ehr.example/fhir/Patient/p1","resource":{"resourceType":"Patient","id":"p1"}},
              {"resource":{"resourceType":"Observation","id":"o1","subject":{"reference":"https://ehr.example/fhir/Patient/p1"}}}]}"#,
        )]);
        let mut records = Records::default();
        records.import(dir.path()).unwrap();
        assert_eq!(records.read("Observation", "o1").unwrap()["subject"]["reference"], "Patient/p1");
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_nothing_of_its_content() {
        let dir =
            folder(&[("b.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"p\"}\n{\"secret\": oops}\n")]);
        let error = Records::default().import(dir.path()).unwrap_err().to_string();
        assert!(error.contains("b.ndjson line 2"), "{error}");
        assert!(!error.contains("oops") && !error.contains("secret"));
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(matches!(
            Records::default().import(Path::new("/nowhere/at/all")),
            Err(ImportError::Read { .. })
        ));
    }
}
