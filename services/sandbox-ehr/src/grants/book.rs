//! The rows behind [`super::Grants`]: grants, codes, access and refresh tokens by digest.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use super::{CodeAsked, Issued, NotIssued};
use crate::digest::{TokenDigest, opaque_of};
use crate::places::Place;
use crate::profile::Profile;

/// Above this many access tokens, expired rows are swept out.
const SWEEP_ABOVE: usize = 20_000;

/// One agreement: who lets which app do what, about whom.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) place: Place,
    pub(crate) client_id: String,
    pub(crate) user: Option<String>,
    pub(crate) patient: Option<String>,
    pub(crate) encounter: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) launch: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) intent: Option<String>,
    pub(crate) need_patient_banner: bool,
    pub(crate) fhir_context: Vec<Value>,
    /// `state` of the authorize request.
    pub(crate) state: Option<String>,
}

pub(crate) struct Kept {
    pub(crate) grant: Grant,
    pub(crate) is_revoked: bool,
    /// Refreshing is refused for now.
    pub(crate) is_suspended: bool,
    pub(crate) agreed_at: i64,
}

pub(crate) struct Code {
    pub(crate) grant: u64,
    pub(crate) asked: CodeAsked,
    pub(crate) expires_at: i64,
    pub(crate) is_used: bool,
}

pub(crate) struct Access {
    pub(crate) grant: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) is_revoked: bool,
}

pub(crate) struct Refresh {
    pub(crate) grant: u64,
    pub(crate) expires_at: i64,
    pub(crate) last_used_at: i64,
    pub(crate) is_used: bool,
}

/// Something issued that an app must keep to itself.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Secret {
    pub(crate) kind: &'static str,
    pub(crate) value: String,
}

/// How many secrets are remembered; the oldest go first.
const MOST_SECRETS: usize = 5_000;

/// A grant as shown to people and tests; no token in it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GrantView {
    pub(crate) grant: u64,
    pub(crate) profile: String,
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    pub(crate) user: Option<String>,
    pub(crate) patient: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) launch: Option<String>,
    pub(crate) is_revoked: bool,
    pub(crate) live_access_tokens: usize,
    pub(crate) live_refresh_tokens: usize,
}

#[derive(Default)]
pub(crate) struct Book {
    /// What was issued, in clear, for leak scans of the apps under test; everything in this EHR is synthetic.
    issued: VecDeque<Secret>,
    pub(crate) grants: BTreeMap<u64, Kept>,
    pub(crate) codes: HashMap<TokenDigest, Code>,
    pub(crate) accesses: HashMap<TokenDigest, Access>,
    pub(crate) refreshes: HashMap<TokenDigest, Refresh>,
    last_grant: u64,
}

impl Book {
    pub(crate) fn add(&mut self, grant: Grant, agreed_at: i64) -> u64 {
        self.last_grant += 1;
        self.grants
            .insert(self.last_grant, Kept { grant, is_revoked: false, is_suspended: false, agreed_at });
        self.last_grant
    }

    pub(crate) fn revoke(&mut self, grant: u64) {
        if let Some(kept) = self.grants.get_mut(&grant) {
            kept.is_revoked = true;
        }
    }

    /// Remembers a secret for leak scans.
    pub(crate) fn remember(&mut self, kind: &'static str, value: &str) {
        if self.issued.len() >= MOST_SECRETS {
            self.issued.pop_front();
        }
        self.issued.push_back(Secret { kind, value: value.to_owned() });
    }

    pub(crate) fn secrets(&self) -> Vec<Secret> {
        self.issued.iter().cloned().collect()
    }

    pub(crate) fn issue_refresh(
        &mut self,
        grant: u64,
        profile: &Profile,
        now: i64,
        expires_at: i64,
    ) -> String {
        let token = opaque_of(profile.token_length);
        self.remember("refresh_token", &token);
        let refresh = Refresh { grant, expires_at, last_used_at: now, is_used: false };
        self.refreshes.insert(TokenDigest::of(&token), refresh);
        token
    }

    pub(crate) fn issue(
        &mut self,
        grant: u64,
        scopes: Vec<String>,
        refresh_token: Option<String>,
        profile: &Profile,
        lifetime_seconds: i64,
        now: i64,
    ) -> Result<Issued, NotIssued> {
        self.sweep(now);
        let kept = self.grants.get(&grant).filter(|kept| !kept.is_revoked).ok_or(NotIssued::Revoked)?;
        let grant_held = kept.grant.clone();
        let access_token = opaque_of(profile.token_length);
        self.remember("access_token", &access_token);
        let expires_at = now + lifetime_seconds;
        let access = Access { grant, scopes: scopes.clone(), issued_at: now, expires_at, is_revoked: false };
        self.accesses.insert(TokenDigest::of(&access_token), access);
        Ok(Issued { grant: grant_held, scopes, access_token, refresh_token, lifetime_seconds })
    }

    pub(crate) fn grant_of_access(&self, token: &TokenDigest) -> Option<&Grant> {
        let access = self.accesses.get(token)?;
        self.grants.get(&access.grant).map(|kept| &kept.grant)
    }

    pub(crate) fn list(&self, now: i64) -> Vec<GrantView> {
        let view = |(id, kept): (&u64, &Kept)| {
            let accesses = self.accesses.values().filter(|row| row.grant == *id && !row.is_revoked);
            let refreshes = self.refreshes.values().filter(|row| row.grant == *id && !row.is_used);
            let live = usize::from(!kept.is_revoked);
            GrantView {
                grant: *id,
                profile: kept.grant.place.profile.clone(),
                tenant: kept.grant.place.tenant.clone(),
                client_id: kept.grant.client_id.clone(),
                user: kept.grant.user.clone(),
                patient: kept.grant.patient.clone(),
                scopes: kept.grant.scopes.clone(),
                launch: kept.grant.launch.clone(),
                is_revoked: kept.is_revoked,
                live_access_tokens: live * accesses.filter(|row| now < row.expires_at).count(),
                live_refresh_tokens: live * refreshes.filter(|row| now < row.expires_at).count(),
            }
        };
        self.grants.iter().rev().map(view).collect()
    }

    /// Drops what can no longer matter, so that a sandbox left running for weeks does not grow without end.
    fn sweep(&mut self, now: i64) {
        if self.accesses.len() < SWEEP_ABOVE {
            return;
        }
        self.accesses.retain(|_, row| now < row.expires_at);
        self.codes.retain(|_, row| now < row.expires_at);
        self.refreshes.retain(|_, row| now < row.expires_at);
    }
}
