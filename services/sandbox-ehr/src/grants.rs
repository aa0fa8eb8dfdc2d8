//! What people agreed to and the codes and tokens that stand for it. A *grant* is one agreement; every
//! code, access token and refresh token made from it is its family and dies with it.
//!
//! One mutex guards the whole book, so "redeem the code and issue the tokens" and "use the refresh token
//! and rotate it" each happen once, whatever arrives at the same time.

use std::sync::{Mutex, PoisonError};

mod book;

pub(crate) use book::{Book, Code, Grant, GrantView};

use crate::denied::Denied;
use crate::digest::{TokenDigest, opaque_of, s256};
use crate::places::Place;
use crate::profile::{Profile, RefreshStyle};

/// A valid access token's rights.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub(crate) grant: Grant,
    pub(crate) scopes: Vec<String>,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
}

/// Tokens just issued.
pub(crate) struct Issued {
    pub(crate) grant: Grant,
    pub(crate) scopes: Vec<String>,
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    /// How long the access token lives, seconds.
    pub(crate) lifetime_seconds: i64,
}

/// What an authorize request fixed for its code.
pub(crate) struct CodeAsked {
    pub(crate) redirect_uri: String,
    /// The PKCE challenge, where one counts.
    pub(crate) challenge: Option<String>,
}

/// What a client presents with a code.
pub(crate) struct CodePresented<'a> {
    pub(crate) code: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) place: &'a Place,
    pub(crate) redirect_uri: &'a str,
    pub(crate) code_verifier: Option<&'a str>,
    /// Whether a refresh token may be issued to this client at all.
    pub(crate) may_refresh: bool,
}

/// What a client presents to refresh; `scopes` empty means all that were granted.
pub(crate) struct RefreshPresented<'a> {
    pub(crate) token: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) place: &'a Place,
    pub(crate) scopes: Vec<String>,
}

/// Why no tokens were issued. All but `Scope` are `invalid_grant` (RFC 6749 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotIssued {
    #[error("the authorization code is not known or was issued to another client")]
    UnknownCode,
    #[error("the authorization code was used before: all its tokens are revoked")]
    ReplayedCode,
    #[error("the authorization code has expired: authorize again")]
    ExpiredCode,
    #[error("redirect_uri is not the one of the authorization request")]
    RedirectUri,
    #[error("code_verifier does not match the code_challenge")]
    Verifier,
    #[error("the refresh token is not known or was issued to another client")]
    UnknownRefresh,
    #[error("the refresh token was used before: the whole grant is revoked")]
    ReusedRefresh,
    #[error("the refresh token has expired: authorize again")]
    ExpiredRefresh,
    #[error("the grant was revoked: authorize again")]
    Revoked,
    #[error("scope goes beyond what was granted")]
    Scope,
}

#[derive(Default)]
pub(crate) struct Grants {
    book: Mutex<Book>,
}

impl Grants {
    fn with<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        act(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records an agreement and makes the code for it.
    pub(crate) fn issue_code(&self, grant: Grant, asked: CodeAsked, profile: &Profile, now: i64) -> String {
        let code = opaque_of(profile.token_length);
        let expires_at = now + profile.code_seconds;
        self.with(|book| {
            let grant = book.add(grant, now);
            book.remember("code", &code);
            let digest = TokenDigest::of(&code);
            book.codes.insert(digest, Code { grant, asked, expires_at, is_used: false });
        });
        code
    }

    /// Turns a code into tokens, once. A second use revokes what the first one got (RFC 6749 §4.1.2).
    pub(crate) fn redeem(
        &self,
        shown: &CodePresented<'_>,
        profile: &Profile,
        now: i64,
    ) -> Result<Issued, NotIssued> {
        self.with(|book| {
            let digest = TokenDigest::of(shown.code);
            let code = book.codes.get_mut(&digest).ok_or(NotIssued::UnknownCode)?;
            let kept = book.grants.get(&code.grant).ok_or(NotIssued::UnknownCode)?;
            if kept.grant.client_id != shown.client_id || kept.grant.place != *shown.place {
                return Err(NotIssued::UnknownCode);
            }
            if code.is_used {
                let grant = code.grant;
                book.revoke(grant);
                return Err(NotIssued::ReplayedCode);
            }
            // From here on the code is spent: a wrong guess must not leave room for a second one.
            code.is_used = true;
            let (grant, expires_at) = (code.grant, code.expires_at);
            if now >= expires_at {
                return Err(NotIssued::ExpiredCode);
            }
            if code.asked.redirect_uri != shown.redirect_uri {
                return Err(NotIssued::RedirectUri);
            }
            if !proves(shown.code_verifier, code.asked.challenge.as_deref()) {
                return Err(NotIssued::Verifier);
            }
            let scopes = kept.grant.scopes.clone();
            let lifetime = refresh_lifetime(&scopes, profile).filter(|_| shown.may_refresh);
            let refresh_token =
                lifetime.map(|seconds| book.issue_refresh(grant, profile, now, now + seconds));
            book.issue(grant, scopes, refresh_token, profile, profile.access_token_seconds, now)
        })
    }

    /// Issues an access token to a service, which agreed with nobody but the organisation.
    pub(crate) fn issue_to_service(
        &self,
        grant: Grant,
        profile: &Profile,
        seconds: i64,
        now: i64,
    ) -> Result<Issued, NotIssued> {
        self.with(|book| {
            let scopes = grant.scopes.clone();
            let id = book.add(grant, now);
            book.issue(id, scopes, None, profile, seconds, now)
        })
    }

    /// Uses a refresh token. In a rotating profile the old one is spent, and its reuse kills the grant.
    pub(crate) fn refresh(
        &self,
        shown: &RefreshPresented<'_>,
        profile: &Profile,
        now: i64,
    ) -> Result<Issued, NotIssued> {
        self.with(|book| {
            let digest = TokenDigest::of(shown.token);
            let refresh = book.refreshes.get(&digest).ok_or(NotIssued::UnknownRefresh)?;
            let (id, is_used, expires_at) = (refresh.grant, refresh.is_used, refresh.expires_at);
            let is_idle =
                profile.refresh_idle_seconds.is_some_and(|seconds| now >= refresh.last_used_at + seconds);
            let kept = book.grants.get(&id).ok_or(NotIssued::UnknownRefresh)?;
            if kept.grant.client_id != shown.client_id || kept.grant.place != *shown.place {
                return Err(NotIssued::UnknownRefresh);
            }
            // Nothing tells a suspended grant from a revoked one, except that it may come back.
            if kept.is_revoked || kept.is_suspended {
                return Err(NotIssued::Revoked);
            }
            if is_used {
                book.revoke(id);
                return Err(NotIssued::ReusedRefresh);
            }
            if now >= expires_at || is_idle {
                return Err(NotIssued::ExpiredRefresh);
            }
            let granted = &kept.grant.scopes;
            if !shown.scopes.iter().all(|scope| granted.contains(scope)) {
                return Err(NotIssued::Scope);
            }
            let scopes = if shown.scopes.is_empty() { granted.clone() } else { shown.scopes.clone() };
            let lifetime = refresh_lifetime(granted, profile);
            if let Some(old) = book.refreshes.get_mut(&digest) {
                old.last_used_at = now;
                old.is_used = profile.refresh == RefreshStyle::Rotating && lifetime.is_some();
            }
            let next_expires_at = match (profile.refresh, lifetime) {
                (RefreshStyle::Static, _) | (_, None) => None,
                (RefreshStyle::Rotating, Some(seconds)) => Some(now + seconds),
                (RefreshStyle::Rolling, Some(_)) => Some(expires_at),
            };
            let next = next_expires_at.map(|at| book.issue_refresh(id, profile, now, at));
            book.issue(id, scopes, next, profile, profile.access_token_seconds, now)
        })
    }

    /// The rights of an access token.
    pub(crate) fn check_access(&self, token: &TokenDigest, now: i64) -> Result<Active, Denied> {
        self.with(|book| {
            let access = book.accesses.get(token).ok_or(Denied::Unknown)?;
            let kept = book.grants.get(&access.grant).ok_or(Denied::Unknown)?;
            if kept.is_revoked || access.is_revoked {
                return Err(Denied::Revoked);
            }
            if now >= access.expires_at {
                return Err(Denied::Expired);
            }
            let (issued_at, expires_at) = (access.issued_at, access.expires_at);
            Ok(Active { grant: kept.grant.clone(), scopes: access.scopes.clone(), issued_at, expires_at })
        })
    }

    /// The rights a usable refresh token stands for.
    pub(crate) fn check_refresh(&self, token: &TokenDigest, now: i64) -> Option<Active> {
        self.with(|book| {
            let refresh = book.refreshes.get(token)?;
            let kept = book.grants.get(&refresh.grant)?;
            let usable = !kept.is_revoked && !refresh.is_used && now < refresh.expires_at;
            let (scopes, expires_at) = (kept.grant.scopes.clone(), refresh.expires_at);
            usable.then(|| Active {
                grant: kept.grant.clone(),
                scopes,
                issued_at: kept.agreed_at,
                expires_at,
            })
        })
    }

    /// Leaves an access token only (or also) these scopes: the EHR granted other ones than were agreed to.
    pub(crate) fn limit_access(&self, token: &TokenDigest, scopes: &[String]) {
        self.with(|book| {
            if let Some(access) = book.accesses.get_mut(token) {
                access.scopes = scopes.to_vec();
            }
        });
    }

    /// The EHR that issued an access token, whatever its state.
    pub(crate) fn place_of(&self, token: &TokenDigest) -> Option<Place> {
        self.with(|book| book.grant_of_access(token).map(|grant| grant.place.clone()))
    }

    /// The launch value behind an access token.
    pub(crate) fn launch_of(&self, token: &TokenDigest) -> Option<String> {
        self.with(|book| book.grant_of_access(token).and_then(|grant| grant.launch.clone()))
    }

    /// RFC 7009: an access token dies alone, a refresh token takes its grant along. `None` if the token is
    /// unknown, `Some(false)` if it belongs to another client.
    pub(crate) fn revoke_token(&self, token: &str, client_id: &str, place: &Place) -> Option<bool> {
        self.with(|book| {
            let digest = TokenDigest::of(token);
            let owns = |grant: &Grant| grant.client_id == client_id && grant.place == *place;
            if let Some(refresh) = book.refreshes.get(&digest) {
                let id = refresh.grant;
                let owned = book.grants.get(&id).is_some_and(|kept| owns(&kept.grant));
                if owned {
                    book.revoke(id);
                }
                return Some(owned);
            }
            let owned = book.grant_of_access(&digest).map(owns)?;
            if let Some(access) = book.accesses.get_mut(&digest).filter(|_| owned) {
                access.is_revoked = true;
            }
            Some(owned)
        })
    }

    /// Revokes every live grant that `matches`; answers how many.
    pub(crate) fn revoke_where(&self, matches: impl Fn(u64, &Grant) -> bool) -> usize {
        self.with(|book| {
            let live = book.grants.iter_mut().filter(|(_, kept)| !kept.is_revoked);
            live.filter(|(id, kept)| matches(**id, &kept.grant))
                .map(|(_, kept)| kept.is_revoked = true)
                .count()
        })
    }

    /// Suspends every live grant that `matches`, or lets it go on; answers how many. Access tokens stay good.
    pub(crate) fn suspend_where(&self, suspend: bool, matches: impl Fn(u64, &Grant) -> bool) -> usize {
        self.with(|book| {
            let live = book.grants.iter_mut().filter(|(_, kept)| !kept.is_revoked);
            live.filter(|(id, kept)| matches(**id, &kept.grant))
                .map(|(_, kept)| kept.is_suspended = suspend)
                .count()
        })
    }

    /// Everything issued, in clear, for leak scans.
    pub(crate) fn secrets(&self) -> Vec<book::Secret> {
        self.with(|book| book.secrets())
    }

    /// All grants, newest first.
    pub(crate) fn list(&self, now: i64) -> Vec<GrantView> {
        self.with(|book| book.list(now))
    }
}

/// Whether the verifier is the challenge's; without a challenge there is nothing to prove.
fn proves(verifier: Option<&str>, challenge: Option<&str>) -> bool {
    match (verifier, challenge) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(verifier), Some(challenge)) => is_verifier(verifier) && s256(verifier) == challenge,
    }
}

/// RFC 7636 §4.1: 43 to 128 unreserved characters.
fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

/// How long a refresh token lives under these scopes; `None` where none is issued.
fn refresh_lifetime(scopes: &[String], profile: &Profile) -> Option<i64> {
    let has = |name: &str| scopes.iter().any(|scope| scope == name);
    if has("offline_access") {
        Some(profile.offline_seconds)
    } else {
        has("online_access").then_some(profile.online_seconds)
    }
}

#[cfg(test)]
mod tests;
