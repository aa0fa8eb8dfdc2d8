//! Cursors: what is left of a search, kept under an opaque name until it expires.
//!
//! A cursor belongs to the client, patient and user it was given to. It can be used again until it
//! expires, because a client may lose an answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore;

use super::{Params, outcome::Failure, params::Param};
use crate::state::TokenInfo;

/// How many are kept at once; the oldest give way.
const CAPACITY: usize = 4096;

/// What is left of a search.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    /// The FHIR base that was searched.
    pub(crate) base: String,
    pub(crate) kind: String,
    pub(crate) found: Arc<[String]>,
    /// The search, as the client sent it.
    pub(crate) asked: Params,
    pub(crate) offset: usize,
    pub(crate) size: usize,
    /// `_count`, where it was sent.
    pub(crate) count: Option<usize>,
    pub(crate) has_total: bool,
    pub(crate) include: Vec<&'static Param>,
}

#[derive(Debug)]
struct Kept {
    rest: Rest,
    owner: Owner,
    expires_at: i64,
    /// Which in turn it was given out.
    serial: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Owner {
    client: String,
    patient: Option<String>,
    user: Option<String>,
}

/// The cursors given out by one server.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    kept: HashMap<String, Kept>,
    serial: u64,
}

impl Cursors {
    /// Keeps the rest of a search for `lifetime` seconds and gives it a name.
    pub(crate) fn keep(&self, token: &TokenInfo, rest: Rest, now_seconds: i64, lifetime: i64) -> String {
        let mut bytes = [0; 18];
        rand::rng().fill_bytes(&mut bytes);
        let name = URL_SAFE_NO_PAD.encode(bytes);
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if book.kept.len() >= CAPACITY {
            book.kept.retain(|_, kept| kept.expires_at > now_seconds);
        }
        while book.kept.len() >= CAPACITY {
            let oldest = book.kept.iter().min_by_key(|(_, kept)| kept.serial).map(|(name, _)| name.clone());
            oldest.and_then(|name| book.kept.remove(&name));
        }
        book.serial += 1;
        let expires_at = now_seconds + lifetime;
        let kept = Kept { rest, owner: owner(token), expires_at, serial: book.serial };
        book.kept.insert(name.clone(), kept);
        name
    }

    /// The rest of a search by its name.
    pub(crate) fn find(&self, token: &TokenInfo, name: &str, now_seconds: i64) -> Result<Rest, Failure> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let kept =
            book.kept.get(name).filter(|kept| kept.expires_at > now_seconds && kept.owner == owner(token));
        // Another's cursor is told from one that never was by nobody.
        kept.map(|kept| kept.rest.clone()).ok_or(Failure::CURSOR_GONE)
    }
}

fn owner(token: &TokenInfo) -> Owner {
    Owner { client: token.client_id.clone(), patient: token.patient.clone(), user: token.user.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: i64 = 15 * 60;

    fn token(client: &str, patient: &str) -> TokenInfo {
        TokenInfo {
            scopes: Vec::new(),
            patient: Some(patient.to_owned()),
            encounter: None,
            user: None,
            client_id: client.to_owned(),
        }
    }

    fn rest() -> Rest {
        let found = vec!["a".to_owned()].into();
        Rest {
            base: "http://ehr.example/fhir".to_owned(),
            kind: "Observation".to_owned(),
            found,
            asked: Vec::new(),
            count: None,
            offset: 0,
            size: 1,
            has_total: true,
            include: Vec::new(),
        }
    }

    #[test]
    fn a_cursor_can_be_used_again_until_it_expires() {
        let cursors = Cursors::default();
        let name = cursors.keep(&token("app", "p"), rest(), 1_000, LIFETIME);
        assert!(cursors.find(&token("app", "p"), &name, 1_000).is_ok());
        assert!(cursors.find(&token("app", "p"), &name, 1_000 + LIFETIME - 1).is_ok());
        assert_eq!(
            cursors.find(&token("app", "p"), &name, 1_000 + LIFETIME).unwrap_err(),
            Failure::CURSOR_GONE
        );
    }

    #[test]
    fn a_cursor_of_another_client_or_patient_is_gone() {
        let cursors = Cursors::default();
        let name = cursors.keep(&token("app", "p"), rest(), 0, LIFETIME);
        assert!(cursors.find(&token("other", "p"), &name, 0).is_err());
        assert!(cursors.find(&token("app", "q"), &name, 0).is_err());
        assert!(cursors.find(&token("app", "p"), "made-up", 0).is_err());
    }

    #[test]
    fn the_oldest_cursor_gives_way_when_too_many_are_kept() {
        let cursors = Cursors::default();
        let mut names = Vec::new();
        for _ in 0..=CAPACITY {
            names.push(cursors.keep(&token("app", "p"), rest(), 0, LIFETIME));
        }
        assert_eq!(cursors.book.lock().unwrap().kept.len(), CAPACITY);
        let is_there = |index: usize| cursors.find(&token("app", "p"), &names[index], 0).is_ok();
        assert!(!is_there(0) && is_there(1) && is_there(CAPACITY));
    }
}
