//! The console's side of the matrix: which method somebody who is signed in may call, as what, for whose tenant. `web` asks in
//! their name and is nobody without them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use sallyport_model::{
    ServiceName,
    operator::{Right, Role},
};
use sallyport_proto::{
    convert,
    launch::v1::{EndOperatorRequest, InviteRequest, SignInRequest, operators_client::OperatorsClient},
};
use sallyport_rpc::{Served, Transport};

use super::{
    DENIED,
    asking::{Ask, Way},
    rows::{CONSOLE, ROWS, Row},
    scene::{self, Scene},
};

/// Somebody at the console: as what, and the secret of their cookie.
#[derive(Clone)]
pub(super) struct Person {
    role: Role,
    pub(super) secret: String,
}

/// Those who ask.
#[derive(Clone)]
pub(super) struct People {
    /// One of each role, for all tenants.
    pub(super) everywhere: Vec<Person>,
    /// One of each role, for the other tenant.
    pub(super) elsewhere: Vec<Person>,
    /// Signed out by somebody else.
    pub(super) ended: String,
}

impl People {
    /// Signs all of them in.
    pub(super) async fn sign_in(served: &[Served], other: &str) -> anyhow::Result<Self> {
        let owner = scene::owner(served, "/sallyport.launch.v1.Operators/SignIn").context("launch-auth")?;
        let mut house = OperatorsClient::new(Transport::local(owner.clone(), ServiceName::Operator));
        let mut web = OperatorsClient::new(Transport::local(owner.clone(), ServiceName::Web));
        let (mut everywhere, mut elsewhere) = (Vec::new(), Vec::new());
        for role in Role::ALL {
            everywhere.push(signed_in(&mut house, &mut web, role, None).await?);
            elsewhere.push(signed_in(&mut house, &mut web, role, Some(other)).await?);
        }
        let ended = signed_in(&mut house, &mut web, Role::Security, None).await?;
        let operator = web
            .resolve(sallyport_proto::launch::v1::ResolveOperatorRequest {
                session_secret: ended.secret.clone(),
                is_active: false,
            })
            .await?
            .into_inner();
        let (by, reason) = ("the matrix".to_owned(), "the matrix ends it".to_owned());
        let request = EndOperatorRequest { session_id: operator.session_id, name: String::new(), by, reason };
        ensure!(house.end_operator(request).await?.into_inner().ended == 1, "one session was ended");
        Ok(Self { everywhere, elsewhere, ended: ended.secret })
    }
}

async fn signed_in(
    house: &mut OperatorsClient<Transport>,
    web: &mut OperatorsClient<Transport>,
    role: Role,
    tenant: Option<&str>,
) -> anyhow::Result<Person> {
    let request = InviteRequest {
        name: format!("matrix {}", role.as_str()),
        role: convert::role_number(role),
        tenants: tenant.into_iter().map(str::to_owned).collect(),
        all_tenants: tenant.is_none(),
        by: "the matrix".to_owned(),
        reason: "the matrix".to_owned(),
        ..InviteRequest::default()
    };
    let link_secret = house.invite(request).await?.into_inner().link_secret;
    let secret = web.sign_in(SignInRequest { link_secret }).await?.into_inner().session_secret;
    Ok(Person { role, secret })
}

/// The rights that each service's own list asks for.
fn lists(served: &[Served]) -> BTreeMap<&'static str, BTreeSet<Right>> {
    let rows = served.iter().flat_map(|served| served.console_list());
    rows.map(|(method, rights)| (*method, rights.iter().copied().collect())).collect()
}

/// The whole of it against a running instance.
///
/// # Errors
/// Every cell that is not as its row says.
pub async fn console_holds() -> anyhow::Result<usize> {
    let scene = Scene::open().await?;
    let (mut wrong, mut cells) = (Vec::new(), 0);
    let expected: BTreeMap<_, BTreeSet<_>> =
        CONSOLE.iter().map(|row| (row.method, row.rights.iter().copied().collect())).collect();
    let lists = lists(scene.served());
    ensure!(expected == lists, "the services' own lists differ:\n{lists:#?}\nthe rows:\n{expected:#?}");
    let people = scene.people.clone();
    let before = scene.state().await?;
    for at_console in CONSOLE {
        let row = ROWS.iter().find(|row| row.method == at_console.method).context(at_console.method)?;
        let may = |role: Role| at_console.rights.iter().any(|right| role.may(*right));
        let mut asked: Vec<(String, Ask, &str)> = vec![
            ("nobody".to_owned(), harm(&scene, row), DENIED),
            (
                "a launch's cookie".to_owned(),
                harm(&scene, row).by_operator(&scene.facts.own.secret),
                "console.signed_out",
            ),
            (
                "somebody who was signed out".to_owned(),
                harm(&scene, row).by_operator(&people.ended),
                "console.ended",
            ),
        ];
        for person in &people.elsewhere {
            let told = if may(person.role) { at_console.elsewhere } else { "console.not_permitted" };
            let who = format!("{} of another tenant", person.role.as_str());
            asked.push((who, harm(&scene, row).by_operator(&person.secret), told));
        }
        for person in people.everywhere.iter().filter(|person| !may(person.role)) {
            let ask = harm(&scene, row).by_operator(&person.secret);
            asked.push((person.role.as_str().to_owned(), ask, "console.not_permitted"));
        }
        for (who, ask, told) in asked {
            cells += 1;
            wrong.extend(judge(&scene, row, &who, ask, told).await?);
        }
    }
    let after = scene.state().await?;
    ensure!(before == after, "refused calls had an effect: {before:?} became {after:?}");
    // Whoever may is told what who runs the house is told.
    for at_console in CONSOLE {
        let row = ROWS.iter().find(|row| row.method == at_console.method).context(at_console.method)?;
        let may = |person: &&Person| at_console.rights.iter().any(|right| person.role.may(*right));
        for person in people.everywhere.iter().filter(may) {
            for case in row.cases {
                cells += 1;
                let ask = (case.ask)(&scene.facts).by_operator(&person.secret);
                let who = format!("{}, {}", person.role.as_str(), case.state);
                wrong.extend(judge(&scene, row, &who, ask, case.expect).await?);
            }
        }
    }
    scene.close().await?;
    ensure!(wrong.is_empty(), "{} of {cells} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    Ok(cells)
}

fn harm(scene: &Scene, row: &Row) -> Ask {
    (row.harm)(&scene.facts)
}

async fn judge(scene: &Scene, row: &Row, who: &str, ask: Ask, expected: &str) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for way in Way::ALL {
        let answer = scene.ask(way, ServiceName::Web, row.method, ask.clone()).await?;
        if answer.code != expected {
            wrong.push(format!("{} by {who} {way:?}: {} instead of {expected}", row.method, answer.code));
        }
    }
    Ok(wrong)
}
