//! HAPI: a FHIR server without a sign-in service of its own; searches live in a cache that forgets.

use super::prelude::*;

pub(crate) fn profile() -> Profile {
    let mut p = Profile::standard("hapi", "HAPI FHIR");
    p.place.base_pattern = unverified(text("https://<host>/fhir"));
    p.place.auth_host = unverified(AuthHost::Own);
    p.place.slash = unverified(Slash::Never);
    p.paging.next = documented(NextLink::ServerSearch);
    p.paging.next_on_base = documented(true);
    p.paging.marks = documented(texts(&["_getpages", "_getpagesoffset"]));
    p.paging.total = documented(Total::Absent);
    p.paging.default_size = observed(Some(10));
    p.paging.next_may_be_empty = documented(true);
    p.errors.bodies = observed(vec![Body::Outcome]);
    p.errors.signs = vec![documented(Sign::new(410, Mark::Search, Cause::PageExpired))];
    p.bulk.kick_offs = documented(KickOff::ALL.to_vec());
    p.bulk.deletes_itself = unverified(true);
    p.registration.access = documented(SandboxAccess::Local);
    p.registration.approval = documented(text("whoever runs it"));
    p
}
