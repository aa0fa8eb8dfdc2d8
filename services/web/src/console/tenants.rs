//! A tenant as its file has it: endpoints, registrations, what launches open, features with their scopes, jobs, policy. What is
//! written there is what counts; nothing is changed here.

use axum::response::Response;
use maud::{Markup, html};
use sallyport_model::scope::Dialect;
use sallyport_registry::{ClientAuth, FeatureKind, Tenant};

use super::{
    frame,
    frame::{Place, panel},
    seat::Seat,
};
use crate::pages::{Tone, badge, said};

/// `GET /console/tenants`.
pub(super) async fn show(seat: Seat) -> Response {
    let content = match seat.app.registry.tenant(&seat.tenant) {
        Some(tenant) => html! {
            p { (said(&tenant.name)) ", times in " (said(&tenant.time_zone)) ". Tenants' files in use: " code { (seat.app.registry.hash().chars().take(12).collect::<String>()) } " (every replica shows the same)." }
            (panel(&seat, "Endpoints", Ok(endpoints(&seat, tenant))))
            (panel(&seat, "Registrations, as each EHR should have them", Ok(registrations(&seat, tenant))))
            (panel(&seat, "What a launch opens", Ok(apps(tenant))))
            (panel(&seat, "Features and their scopes", Ok(features(tenant))))
            (panel(&seat, "Jobs", Ok(jobs(tenant))))
            (panel(&seat, "Policy", Ok(policy(tenant))))
        },
        None => html! { p.state.empty { "The house itself has no endpoints. Choose a tenant above." } },
    };
    frame::page(&seat, Place::Tenants, "Tenants and endpoints", &content)
}

fn endpoints(seat: &Seat, tenant: &Tenant) -> Markup {
    html! {
        @for endpoint in &tenant.endpoints {
            dl.facts {
                dt { "Endpoint" } dd { b { (said(&endpoint.name)) } " " code { (endpoint.id.as_str()) } }
                dt { "FHIR base" } dd { code { (said(&endpoint.fhir_base)) } }
                dt { "Behaves as" } dd { (endpoint.vendor.as_str()) ", mapping " (endpoint.mapping.to_string()) }
                @if let Some(contact) = &endpoint.contact { dt { "Whom to call there" } dd { (said(contact)) } }
                dt { "May frame pages" } dd { (said(&endpoint.frame_ancestors.iter().map(|origin| origin.as_str()).collect::<Vec<_>>().join(", "))) }
                dt { "Its calls" } dd { a href=(seat.href(&format!("/audit?last=24h&endpoint={}", endpoint.id.as_str()))) { "in the log" } }
            }
        }
        p.quiet { "What an endpoint offers and what changed there: " code { "sallyport probe ENDPOINT --tenant " (tenant.id.as_str()) " --last" } ". What of it this version was tried with: " code { "sallyport matrix --tenant " (tenant.id.as_str()) } "." }
    }
}

fn registrations(seat: &Seat, tenant: &Tenant) -> Markup {
    let origin = &seat.app.public_origin;
    html! {
        @for registration in &tenant.registrations {
            dl.facts {
                dt { "Registration" } dd { b { code { (registration.id.as_str()) } } " at " (registration.endpoint.as_str()) }
                dt { "Client id" } dd { code { (said(&registration.client_id)) } }
                dt { "Proves itself by" } dd {
                    @match &registration.auth {
                        ClientAuth::Public => { "PKCE alone (public client)" },
                        ClientAuth::SecretBasic(_) | ClientAuth::SecretPost(_) => { "a client secret" },
                        ClientAuth::PrivateKeyJwt { algorithm, .. } => { "a signed assertion (" (format!("{algorithm:?}").to_uppercase()) "), keys at " code { (origin) "/.well-known/jwks.json" } },
                    }
                }
                @if registration.ehr_launch { dt { "Launch URL" } dd { code { (origin) "/launch/" (registration.id.as_str()) } } }
                @if registration.ehr_launch || registration.standalone { dt { "Redirect URI" } dd { code { (origin) "/callback/" (registration.id.as_str()) } } }
                dt { "Launches" } dd { @if registration.ehr_launch { "from the EHR " } @if registration.standalone { "standalone " } @if registration.backend { "by itself, for jobs" } }
                dt { "Opens" } dd { (registration.app.as_str()) }
            }
        }
    }
}

fn apps(tenant: &Tenant) -> Markup {
    html! {
        @for app in &tenant.apps {
            dl.facts {
                dt { "App entry" } dd { b { (said(&app.name)) } " " code { (app.id.as_str()) } }
                dt { "Features" } dd { (said(&app.features.iter().map(|feature| feature.as_str()).collect::<Vec<_>>().join(", "))) }
                dt { "A call that names none runs under" } dd { code { (app.default_feature.as_str()) } }
            }
        }
    }
}

fn features(tenant: &Tenant) -> Markup {
    html! {
        @for feature in &tenant.features {
            @let kind = match feature.kind {
                FeatureKind::InteractiveRead => "a person reads",
                FeatureKind::InteractiveWrite => "a person writes, by a step-up authorisation",
                FeatureKind::Offline => "a job on a person's offline grant",
                FeatureKind::Service => "a job as a registered service",
            };
            dl.facts {
                dt { "Feature" } dd { b { (said(&feature.title)) } " " code { (feature.id.as_str()) } " " (badge(Tone::Quiet, kind)) }
                dt { "Why" } dd { (feature.purpose.as_str()) ": " (said(&feature.justification)) }
                dt { "Needs" } dd { code { (said(&feature.required.print(Dialect::V2))) } }
                @if !feature.optional.print(Dialect::V2).is_empty() { dt { "Uses where granted" } dd { code { (said(&feature.optional.print(Dialect::V2))) } } }
                @match &feature.validation {
                    Some(validation) => { dt { "Clinically validated" } dd { "by " (said(&validation.by)) " on " (said(&validation.on)) ", for mapping " (validation.mapping.to_string()) ": " (said(&validation.evidence)) } },
                    None if feature.kind == FeatureKind::InteractiveWrite => { dt { "Clinically validated" } dd { (badge(Tone::Warning, "no: it writes nothing")) } },
                    None => {},
                }
            }
        }
    }
}

fn jobs(tenant: &Tenant) -> Markup {
    html! {
        @if tenant.jobs.is_empty() { p.state.empty { "None are written in its file." } }
        @for job in &tenant.jobs {
            dl.facts {
                dt { "Job" } dd { b { (said(&job.title)) } " " code { (job.id.as_str()) } " " @if job.is_on { (badge(Tone::Good, "on")) } @else { (badge(Tone::Quiet, "off")) } " " (job.stage.as_str()) }
                dt { "What" } dd { (job.kind.as_str()) " under " code { (job.feature.as_str()) } ", as " (job.identity.as_str()) " by " code { (job.registration.as_str()) } }
                dt { "Kept" } dd { (job.keep_days) " days" }
            }
        }
    }
}

/// What the policy permits and denies, in its order: the first rule that fits decides, and none means deny.
fn policy(tenant: &Tenant) -> Markup {
    let any = |texts: &[String]| if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    html! {
        p { "Jurisdiction: " (said(&tenant.policy.jurisdiction)) ". The first rule that fits decides; what no rule fits is denied." }
        div.scroll tabindex="0" role="region" aria-label="Policy" {
            table.records {
                thead { tr { @for title in ["Rule", "Decides", "Purposes", "Resource types", "Security labels", "Jurisdictions"] { th scope="col" { (title) } } } }
                tbody { @for rule in &tenant.policy.rules { tr {
                    th scope="row" { (said(&rule.name)) }
                    td { @if rule.permit { (badge(Tone::Good, "permit")) } @else { (badge(Tone::Warning, "deny")) } }
                    td { (said(&any(&rule.purposes))) } td { (said(&any(&rule.types))) }
                    td { (said(&any(&rule.labels))) } td { (said(&any(&rule.jurisdictions))) }
                } } }
            }
        }
    }
}
