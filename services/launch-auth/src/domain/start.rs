//! Starting a launch: who it is from, where its sign-in service is, and the request that the browser takes there.

use std::collections::BTreeSet;

use sallyport_model::{
    Code, LaunchId, Secret,
    scope::{Dialect, ScopeSet},
};
use sallyport_proto::audit::v1::Kind;
use sallyport_registry::{Entry, Feature, FeatureKind};
use sallyport_smart::{
    authorize::{Asked, LONG_REQUEST_BYTES, Request, choose_dialect, requested_scope},
    discovery::Smart,
    pkce::Verifier,
};
use sallyport_vendors::oauth::Pkce;
use url::Url;

use super::{App, Visit, digest, new_secret, random, record::Event, set_transaction_cookie};
use crate::{
    discovery::{Pinned, code_of, pin, requirements},
    error::{Refusal, unavailable},
    store::{NewLaunch, Session, Transaction},
};

/// What arrived at `/launch`.
#[derive(Default)]
pub(crate) struct Arrived {
    /// The registration in the path; `None` at bare `/launch`.
    pub(crate) registration: Option<String>,
    pub(crate) iss: Option<String>,
    pub(crate) launch: Option<String>,
}

/// Where the browser goes next.
pub(crate) struct Departure {
    pub(crate) registration: sallyport_model::RegistrationId,
    /// The authorize endpoint.
    pub(crate) authorize: Url,
    pub(crate) parameters: Vec<(&'static str, Secret<String>)>,
    /// By an auto-submitting form instead of a redirect.
    pub(crate) is_post: bool,
    pub(crate) set_cookie: String,
}

/// A launch that is allowed to go on.
struct Chosen<'a> {
    entry: Entry<'a>,
    /// `iss` as received, or the registered base of a standalone launch: what `aud` will be.
    aud: String,
    launch: Option<String>,
    step_up: Option<StepUp<'a>>,
}

/// An authorisation for one more feature, from within a session.
struct StepUp<'a> {
    of: LaunchId,
    feature: &'a Feature,
}

/// Starts a launch, counts it and records it.
///
/// # Errors
/// The refusal to show.
pub(crate) async fn start(app: &App, visit: &Visit, arrived: Arrived) -> Result<Departure, Refusal> {
    let kind = match (&arrived.iss, &arrived.launch) {
        (None, None) => "standalone",
        _ => "ehr",
    };
    let outcome = match choose(app, arrived) {
        Ok(chosen) => depart(app, visit, chosen).await,
        Err(refusal) => Err(refusal),
    };
    match &outcome {
        Ok(_) => app.numbers.launches.inc(&[kind, "ok"]),
        Err(refusal) => note_refusal(app, visit, kind, refusal).await,
    }
    outcome
}

/// Starts the step-up authorisation for a feature that writes, from within an open session. It is a launch of its own:
/// the EHR asks the person again, and what comes back opens a session beside the first.
///
/// # Errors
/// The refusal to show.
pub(crate) async fn step_up(
    app: &App,
    visit: &Visit,
    session: &Session,
    feature: &str,
) -> Result<Departure, Refusal> {
    let outcome = match choose_step_up(app, session, feature) {
        Ok(chosen) => depart(app, visit, chosen).await,
        Err(refusal) => Err(refusal),
    };
    match &outcome {
        Ok(_) => app.numbers.launches.inc(&["step-up", "ok"]),
        Err(refusal) => note_refusal(app, visit, "step-up", refusal).await,
    }
    outcome
}

fn choose_step_up<'a>(app: &'a App, session: &Session, feature: &str) -> Result<Chosen<'a>, Refusal> {
    let entry = app.registry.registration(&session.registration).ok_or(Code::LaunchRegistrationUnknown)?;
    let refuse = |code: Code| Refusal::new(code).at(&entry.tenant.id, &entry.registration.id);
    let is_wanted = |f: &&Feature| {
        f.id.as_str() == feature
            && f.kind == FeatureKind::InteractiveWrite
            && entry.app.features.contains(&f.id)
    };
    let found = entry.tenant.features.iter().find(is_wanted);
    let feature = found.ok_or_else(|| refuse(Code::FeatureUnknown))?;
    // The EHR's launch token is used up, so the EHR is asked as by a person who comes without one.
    if !entry.registration.standalone {
        return Err(refuse(Code::LaunchKindNotAllowed));
    }
    let step_up = Some(StepUp { of: session.launch, feature });
    Ok(Chosen { entry, aud: entry.endpoint.fhir_base.clone(), launch: None, step_up })
}

/// A launch request that could not even be read, counted and recorded.
pub(crate) async fn misread(app: &App, visit: &Visit, code: Code) -> Refusal {
    let refusal = Refusal::new(code);
    note_refusal(app, visit, "unknown", &refusal).await;
    refusal
}

async fn note_refusal(app: &App, visit: &Visit, kind: &str, refusal: &Refusal) {
    app.numbers.launches.inc(&[kind, refusal.code.as_str()]);
    let mut event = Event::new(Kind::Launch, Some(visit.request_id));
    if let Some(entry) = refusal.registration.as_ref().and_then(|id| app.registry.registration(id)) {
        event = event.at(&entry);
    }
    app.record_anyway(event.refused(refusal)).await;
}

/// Decides from the registry alone: no network request happens before this (RFC 9700 §4.9.1, CWE-918).
fn choose(app: &App, arrived: Arrived) -> Result<Chosen<'_>, Refusal> {
    let Arrived { registration, iss, launch } = arrived;
    let entry = match (&registration, &iss) {
        (Some(id), _) => sallyport_model::RegistrationId::parse(id)
            .ok()
            .and_then(|id| app.registry.registration(&id))
            .ok_or(Code::LaunchRegistrationUnknown)?,
        (None, None) => return Err(Code::LaunchIssuerMissing.into()),
        (None, Some(iss)) => match app.registry.by_issuer(iss).as_slice() {
            [] => return Err(Code::LaunchIssuerUnknown.into()),
            [only] => *only,
            // Which app it is for is said by the address alone.
            _ => return Err(Code::LaunchRegistrationUnknown.into()),
        },
    };
    let refuse = |code: Code| Refusal::new(code).at(&entry.tenant.id, &entry.registration.id);
    match (iss, launch) {
        (None, None) if entry.registration.standalone => {
            Ok(Chosen { entry, aud: entry.endpoint.fhir_base.clone(), launch: None, step_up: None })
        }
        (None, None) => Err(refuse(Code::LaunchKindNotAllowed)),
        (None, Some(_)) => Err(refuse(Code::LaunchIssuerMissing)),
        (Some(iss), launch) => {
            // An unknown issuer is nobody's tenant: the page may stand in any registered EHR's frame.
            if !entry.endpoint.is_issuer(&iss) && !sallyport_model::planted!("issuer-allowlist-off") {
                return Err(Code::LaunchIssuerUnknown.into());
            }
            let launch = launch.ok_or_else(|| refuse(Code::LaunchParameterMissing))?;
            if !entry.registration.ehr_launch {
                return Err(refuse(Code::LaunchKindNotAllowed));
            }
            Ok(Chosen { entry, aud: iss, launch: Some(launch), step_up: None })
        }
    }
}

#[tracing::instrument(
    name = "launch-auth.launch.start",
    skip_all,
    fields(
        launch.id = tracing::field::Empty,
        tenant.id = chosen.entry.tenant.id.as_str(),
        endpoint.id = chosen.entry.endpoint.id.as_str(),
        registration.id = chosen.entry.registration.id.as_str(),
        vendor.id = chosen.entry.endpoint.vendor.as_str(),
        outcome = tracing::field::Empty,
    )
)]
async fn depart(app: &App, visit: &Visit, chosen: Chosen<'_>) -> Result<Departure, Refusal> {
    let outcome = prepare(app, visit, chosen).await;
    let word = outcome.as_ref().map_or_else(|refusal| refusal.code.as_str(), |_| "ok");
    tracing::Span::current().record("outcome", word);
    outcome
}

async fn prepare(app: &App, visit: &Visit, chosen: Chosen<'_>) -> Result<Departure, Refusal> {
    let Chosen { entry, aud, launch: launch_parameter, step_up } = chosen;
    let refuse = |code: Code| Refusal::new(code).at(&entry.tenant.id, &entry.registration.id);
    let profile = entry.endpoint.behaviour.now(app.clock.now()).map_err(refuse)?;
    let is_ehr_launch = launch_parameter.is_some();
    let (smart, pinned) = locate(app, &entry, profile, &aud, is_ehr_launch).await.map_err(refuse)?;

    let launch = LaunchId::new(app.clock.as_ref());
    tracing::Span::current().record("launch.id", launch.to_string());
    let mut features: Vec<_> = entry.launch_features().collect();
    features.extend(step_up.as_ref().map(|step_up| step_up.feature));
    let lists_profile = smart.scopes.iter().any(|scope| scope == "profile");
    let asked = Asked { is_ehr_launch, online_access: *profile.tokens.online_access, profile: lists_profile };
    let dialect = choose_dialect(entry.registration.dialect.or(profile.scopes.dialect.fixed()), &smart);
    let scope = fitting_scope(&features, asked, dialect, *profile.scopes.max_bytes);
    let scope = scope.ok_or_else(|| refuse(Code::LaunchScopeTooLong))?;
    let (state, browser, verifier) = (new_secret(), new_secret(), Verifier::from_random(random()));
    let nonce = if *profile.oauth.send_nonce { new_secret() } else { Secret::new(String::new()) };
    let redirect_uri = app.config.absolute(&format!("/callback/{}", entry.registration.id));
    let now = app.clock.now();
    let text = |url: &Option<Url>| url.as_ref().map(|u| u.as_str().to_owned());
    let new = NewLaunch {
        transaction: Transaction {
            launch,
            tenant: entry.tenant.id.clone(),
            endpoint: entry.endpoint.id.clone(),
            registration: entry.registration.id.clone(),
            app: entry.app.id.clone(),
            is_ehr_launch,
            aud: aud.clone(),
            launch_parameter: launch_parameter.clone(),
            redirect_uri: redirect_uri.clone(),
            token_endpoint: pinned.token.as_str().to_owned(),
            issuer: pinned.issuer.clone(),
            jwks_uri: text(&pinned.jwks),
            revocation_endpoint: text(&pinned.revocation),
            introspection_endpoint: text(&pinned.introspection),
            announces_issuer: pinned.announces_issuer,
            nonce: nonce.clone(),
            code_verifier: verifier.secret().clone(),
            requested_scope: scope.clone(),
            features: features.iter().map(|f| f.id.clone()).collect(),
            traceparent: sallyport_telemetry::propagate::traceparent().unwrap_or_default(),
            step_up_of: step_up.as_ref().map(|step_up| step_up.of),
        },
        state_digest: digest(&state),
        browser_digest: digest(&browser),
        created_at: now,
        expires_at: now.saturating_add(i64::from(app.config.transaction_seconds) * 1_000_000),
    };
    app.store.insert_launch(&new).await.map_err(|error| refuse(unavailable(&error)).of(launch))?;
    let event = Event::new(Kind::Launch, Some(visit.request_id)).at(&entry).launch(launch).scopes(&scope, "");
    let event = event.detail(match (&step_up, is_ehr_launch) {
        (Some(_), _) => "step-up",
        (None, true) => "ehr",
        (None, false) => "standalone",
    });
    app.record(event).await.map_err(|code| refuse(code).of(launch))?;

    let challenge = verifier.challenge();
    let sent_scope = profile.scopes.as_sent(&entry.endpoint.in_its_words(&scope));
    let request = Request {
        client_id: &entry.registration.client_id,
        redirect_uri: &redirect_uri,
        scope: &sent_scope,
        state: &state,
        aud: profile.oauth.audience.of(&aud),
        nonce: nonce.expose(),
        code_challenge: &challenge,
        launch: launch_parameter.as_deref(),
    };
    let is_post = smart.offers("authorize-post")
        && (*profile.oauth.authorize_post || request.encoded_length() > LONG_REQUEST_BYTES);
    Ok(Departure {
        registration: entry.registration.id.clone(),
        authorize: pinned.authorize,
        parameters: request.parameters().into_iter().map(|(n, v)| (n, Secret::new(v.to_owned()))).collect(),
        is_post,
        set_cookie: set_transaction_cookie(launch, &browser, app.config.transaction_seconds),
    })
}

/// What is asked for: everything that the features can use, or, where the product takes less, what they cannot do
/// without; `None` when even that is too long.
fn fitting_scope(
    features: &[&Feature],
    asked: Asked,
    dialect: Dialect,
    max_bytes: Option<usize>,
) -> Option<String> {
    let of = |scopes: fn(&Feature) -> ScopeSet| {
        let needed = features.iter().fold(ScopeSet::default(), |all, feature| all.union(&scopes(feature)));
        requested_scope(&needed, asked, dialect)
    };
    let fits = |scope: &String| max_bytes.is_none_or(|max| scope.len() <= max);
    [of(Feature::scopes), of(|feature| feature.required.clone())].into_iter().find(fits)
}

/// Discovery, held against the specification and the registration.
async fn locate(
    app: &App,
    entry: &Entry<'_>,
    profile: &sallyport_vendors::Profile,
    aud: &str,
    is_ehr_launch: bool,
) -> Result<(std::sync::Arc<Smart>, Pinned), Code> {
    let base =
        if sallyport_model::planted!("issuer-allowlist-off") { aud } else { &entry.endpoint.fhir_base };
    let smart = app.discovery.describe(entry.tenant, entry.endpoint, base).await?;
    if sallyport_model::planted!("launch-path-reads-more") {
        app.discovery.read_more_than_needed(entry.tenant.environment, base).await;
    }
    smart
        .check(requirements(entry.tenant.environment, *profile.oauth.pkce == Pkce::Required))
        .map_err(code_of)?;
    let pinned = pin(entry.endpoint, &smart)?;
    // Lists of capabilities are often incomplete: a kind is not offered when only the other one is listed. A launch
    // token is proof that the EHR launches.
    if !is_ehr_launch && smart.offers("launch-ehr") && !smart.offers("launch-standalone") {
        return Err(Code::LaunchNotOffered);
    }
    Ok((smart, pinned))
}

/// The origins that may frame pages about `registration`; every registered EHR's when it is not known.
pub(crate) fn frame_ancestors(app: &App, registration: Option<&sallyport_model::RegistrationId>) -> String {
    let known = registration.and_then(|id| app.registry.registration(id));
    let origins: BTreeSet<&str> = match &known {
        Some(entry) => entry.endpoint.frame_ancestors.iter().map(|o| o.as_str()).collect(),
        None => {
            app.registry.entries().flat_map(|e| &e.endpoint.frame_ancestors).map(|o| o.as_str()).collect()
        }
    };
    let mut all = vec!["'self'"];
    all.extend(origins);
    all.join(" ")
}
