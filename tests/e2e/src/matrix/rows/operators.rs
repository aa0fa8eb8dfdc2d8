//! Operators' links and sessions.

use sallyport_model::ServiceName::{Audit, JobWorker, Operator, Web};
use sallyport_proto::launch::v1::{
    EndOperatorRequest, InviteRequest, ListOperatorsRequest, PeekLinkRequest, ResolveOperatorRequest, Role,
    SignInRequest, SignOutRequest,
};

use super::{Ask, NOBODY, Row, case};

/// No link and no session has this secret.
const NOBODYS: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

fn invite(tenants: &[&str], reason: &str) -> Ask {
    Ask::new(&InviteRequest {
        name: "the matrix".to_owned(),
        role: Role::Viewer.into(),
        tenants: tenants.iter().map(|tenant| (*tenant).to_owned()).collect(),
        by: "the matrix".to_owned(),
        reason: reason.to_owned(),
        ..InviteRequest::default()
    })
}

fn resolve(secret: &str) -> Ask {
    Ask::new(&ResolveOperatorRequest { session_secret: secret.to_owned(), is_active: false })
}

fn end(session: &[u8], name: &str) -> Ask {
    Ask::new(&EndOperatorRequest {
        session_id: session.to_vec(),
        name: name.to_owned(),
        by: "the matrix".to_owned(),
        reason: "the matrix".to_owned(),
    })
}

pub(super) const INVITE: Row = Row {
    method: "/sallyport.launch.v1.Operators/Invite",
    callers: &[Operator],
    harm: |_| invite(&["general"], "the matrix"),
    cases: &[
        case("a tenant", |_| invite(&["general"], "the matrix"), "ok"),
        case("no tenant", |_| invite(&[], "the matrix"), "request.invalid"),
        case("a tenant that is nowhere", |_| invite(&["nowhere"], "the matrix"), "request.invalid"),
        case("without a reason", |_| invite(&["general"], ""), "request.invalid"),
    ],
};

pub(super) const PEEK_LINK: Row = Row {
    method: "/sallyport.launch.v1.Operators/PeekLink",
    callers: &[Web],
    harm: |_| Ask::new(&PeekLinkRequest { link_secret: NOBODYS.to_owned() }),
    cases: &[case(
        "nobody's",
        |_| Ask::new(&PeekLinkRequest { link_secret: NOBODYS.to_owned() }),
        "console.link_used",
    )],
};

pub(super) const SIGN_IN: Row = Row {
    method: "/sallyport.launch.v1.Operators/SignIn",
    callers: &[Web],
    harm: |_| Ask::new(&SignInRequest { link_secret: NOBODYS.to_owned() }),
    cases: &[case(
        "nobody's",
        |_| Ask::new(&SignInRequest { link_secret: NOBODYS.to_owned() }),
        "console.link_used",
    )],
};

pub(super) const RESOLVE: Row = Row {
    method: "/sallyport.launch.v1.Operators/Resolve",
    callers: &[Web, Audit, JobWorker],
    harm: |f| resolve(&f.operator),
    cases: &[
        case("open", |f| resolve(&f.operator), "ok"),
        case("ended", |f| resolve(&f.ended_operator), "console.ended"),
        case("nobody's", |_| resolve(NOBODYS), "console.signed_out"),
        case("a launch's secret", |f| resolve(&f.own.secret), "console.signed_out"),
    ],
};

pub(super) const SIGN_OUT: Row = Row {
    method: "/sallyport.launch.v1.Operators/SignOut",
    callers: &[Web],
    harm: |f| Ask::new(&SignOutRequest { session_secret: f.operator.clone() }),
    cases: &[
        case("nobody's", |_| Ask::new(&SignOutRequest { session_secret: NOBODYS.to_owned() }), "ok"),
        case("ended", |f| Ask::new(&SignOutRequest { session_secret: f.ended_operator.clone() }), "ok"),
    ],
};

pub(super) const LIST_OPERATORS: Row = Row {
    method: "/sallyport.launch.v1.Operators/ListOperators",
    callers: &[Operator],
    harm: |_| Ask::new(&ListOperatorsRequest {}),
    cases: &[case("any", |_| Ask::new(&ListOperatorsRequest {}), "ok")],
};

pub(super) const END_OPERATOR: Row = Row {
    method: "/sallyport.launch.v1.Operators/EndOperator",
    callers: &[Operator],
    harm: |_| end(&[], "matrix security"),
    cases: &[
        case("nobody's", |_| end(&NOBODY, ""), "ok"),
        case("nobody named", |_| end(&[], ""), "request.invalid"),
    ],
};
