//! Stable codes: every refusal and error a person, an app or an operator can meet, with a sentence and a way on.
//!
//! A code is part of the interface: it may gain words, it is never renamed. Nothing here reflects input.

/// How a code maps onto transports: the nine outcomes shared by gRPC, HTTP and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request cannot be understood. 400, INVALID_ARGUMENT.
    Invalid,
    /// Nobody is signed in, or the session is over. 401, UNAUTHENTICATED.
    Unauthenticated,
    /// Understood and refused. 403, PERMISSION_DENIED.
    Denied,
    /// There is no such thing here. 404, NOT_FOUND.
    NotFound,
    /// It does not fit the present state. 409, FAILED_PRECONDITION.
    Conflict,
    /// Too large. 413, OUT_OF_RANGE.
    TooLarge,
    /// Too many. 429, RESOURCE_EXHAUSTED.
    TooMany,
    /// The EHR failed or answered nonsense. 502, ABORTED.
    Upstream,
    /// A part of ours is not available. 503, UNAVAILABLE.
    Unavailable,
    /// The EHR did not answer in time. 504, DEADLINE_EXCEEDED.
    Timeout,
    /// A defect of ours. 500, INTERNAL.
    Internal,
}

impl Kind {
    /// The HTTP status.
    pub fn http(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Denied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Upstream => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident, $sentence:literal, $next:literal;)*) => {
        /// A stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* #[doc = $sentence] $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text, e.g. `launch.issuer_unknown`.
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)* } }

            /// The transport outcome.
            pub fn kind(self) -> Kind { match self { $(Self::$name => Kind::$kind,)* } }

            /// What happened, for a person.
            pub fn sentence(self) -> &'static str { match self { $(Self::$name => $sentence,)* } }

            /// What to do next, for a person.
            pub fn next_step(self) -> &'static str { match self { $(Self::$name => $next,)* } }
        }
    };
}

codes! {
    LaunchIssuerMissing = "launch.issuer_missing", Invalid, "The launch did not say which EHR it comes from.", "Start the app again from inside the EHR.";
    LaunchIssuerUnknown = "launch.issuer_unknown", Denied, "This EHR is not registered for this app.", "Ask your administrator to register the EHR's FHIR address, then start the app again.";
    LaunchParameterMissing = "launch.launch_missing", Invalid, "The EHR did not send its launch token.", "Start the app again from inside the EHR.";
    LaunchParameterInvalid = "launch.parameter_invalid", Invalid, "The launch request carries a parameter that is repeated, too long or malformed.", "Start the app again; if it happens again, tell support the reference below.";
    LaunchRegistrationUnknown = "launch.registration_unknown", NotFound, "There is no app registration at this address.", "Check the launch address in the EHR's app settings.";
    LaunchKindNotAllowed = "launch.kind_not_allowed", Denied, "This app is not set up for this kind of launch.", "Start it from inside the EHR, or ask your administrator to allow standalone launches.";
    LaunchRateLimited = "launch.rate_limited", TooMany, "Too many launches came from this address in a short time.", "Wait a minute, then start the app again.";
    LaunchDiscoveryFailed = "launch.discovery_failed", Upstream, "The EHR did not describe its sign-in service.", "Try again in a minute; if it goes on, the EHR's support can check its SMART configuration.";
    LaunchDiscoveryDrift = "launch.discovery_drift", Denied, "The EHR's sign-in service is not at the address that was registered.", "Nothing was sent there. Ask your administrator to review the change and register the new address.";
    LaunchPkceUnsupported = "launch.pkce_unsupported", Denied, "The EHR does not offer the protection (PKCE S256) that this app requires.", "Ask the EHR's support to enable PKCE S256.";
    LaunchNotOffered = "launch.not_offered", Denied, "The EHR does not offer this kind of launch.", "Start the app from inside the EHR, or ask the EHR's support.";
    CallbackStateUnknown = "callback.state_unknown", Denied, "This sign-in was not started here, has already been used, or took too long.", "Start the app again.";
    CallbackOtherBrowser = "callback.other_browser", Denied, "This sign-in was started in another browser or the browser did not keep the app's cookie.", "Start the app again in one browser; if the EHR shows it in a frame, open it in a new window.";
    CallbackIssuerMismatch = "callback.issuer_mismatch", Denied, "The answer did not come from the sign-in service that was asked.", "Nothing was sent to it. Start the app again and tell support the reference below.";
    CallbackDenied = "callback.access_denied", Denied, "Access was declined on the EHR's page.", "Nothing was read. Start the app again if that was not intended.";
    CallbackError = "callback.ehr_error", Upstream, "The EHR's sign-in service reported a problem.", "Start the app again; if it goes on, tell support the reference below.";
    CallbackInvalid = "callback.invalid", Invalid, "The answer from the EHR's sign-in service is incomplete.", "Start the app again.";
    ExchangeRefused = "exchange.refused", Upstream, "The EHR refused to complete the sign-in.", "Start the app again; if it goes on, check the client registration at the EHR.";
    ExchangeClientRefused = "exchange.client_refused", Upstream, "The EHR did not accept this app's own credentials.", "An administrator must check the registration (client id, secret or key).";
    ExchangeTimeout = "exchange.timeout", Timeout, "The EHR took too long to complete the sign-in.", "Start the app again.";
    ExchangeInvalid = "exchange.invalid_response", Upstream, "The EHR's sign-in answer could not be understood.", "Start the app again; tell support the reference below.";
    IdentityInvalid = "identity.invalid", Denied, "The EHR's statement about who signed in could not be verified.", "Nothing was read. Start the app again and tell support the reference below.";
    ContextPatientMissing = "context.patient_missing", Denied, "The EHR granted access to one patient but did not say which.", "Start the app again with a patient open in the EHR.";
    ContextInvalid = "context.invalid", Upstream, "The EHR's launch context could not be understood.", "Start the app again; tell support the reference below.";
    ScopeRequiredMissing = "scope.required_missing", Denied, "The EHR did not grant what this app needs at least.", "Start the app again and allow access, or ask the EHR's administrator.";
    SessionMissing = "session.missing", Unauthenticated, "There is no open session for this chart in this browser.", "Start the app again from the EHR.";
    SessionExpired = "session.expired", Unauthenticated, "The session ended because it was not used for a while or reached its longest time.", "Start the app again from the EHR.";
    SessionRevoked = "session.revoked", Unauthenticated, "The session was ended by you or by an administrator.", "Start the app again from the EHR.";
    SessionCookieBlocked = "session.cookie_blocked", Unauthenticated, "The browser did not keep the app's cookie inside the EHR's frame.", "Open the app in a new window.";
    RequestCrossSite = "request.cross_site", Denied, "The request came from another site.", "Use the app's own page.";
    GrantUncertain = "grant.uncertain", Unauthenticated, "It is not known whether the EHR renewed the sign-in, and asking twice could end it.", "Start the app again from the EHR; nothing was lost.";
    GrantDead = "grant.dead", Unauthenticated, "The EHR ended this sign-in.", "Start the app again from the EHR.";
    GrantUnknown = "grant.unknown", NotFound, "There is no such authorisation.", "Start the app again from the EHR.";
    GrantRevoked = "grant.revoked", Unauthenticated, "This authorisation was withdrawn.", "Start the app again from the EHR.";
    IntrospectionNotOffered = "grant.introspection_not_offered", NotFound, "The EHR does not say anything about its tokens.", "Ask the EHR's support, or end the session.";
    FeatureUnknown = "feature.unknown", Denied, "This app entry has no such feature.", "Name one of the features of the app entry.";
    FeatureOff = "feature.off", Denied, "This feature is off because the EHR did not grant what it needs.", "Start the app again and allow access, or ask the EHR's administrator.";
    PathInvalid = "fhir.path_invalid", Invalid, "The address is not a FHIR interaction that this gateway knows.", "Use [type]/[id] or [type]?parameters with plain characters.";
    TypeDenied = "fhir.type_denied", Denied, "This resource type is not available here.", "Use one of the types in /metadata.";
    InteractionDenied = "fhir.interaction_denied", Denied, "This interaction is not available here.", "Use one of the interactions in /metadata.";
    ParameterDenied = "fhir.parameter_denied", Denied, "A search parameter is not allowed here.", "Use the parameters listed in /metadata; includes, reverse includes, chains and _has are not available.";
    ParameterInvalid = "fhir.parameter_invalid", Invalid, "A search parameter has a value that cannot be used.", "Check the parameter's format.";
    ScopeDenied = "fhir.scope_denied", Denied, "What was granted does not cover this call.", "Ask for the scope in the app entry's feature and start the app again.";
    PatientDenied = "fhir.patient_denied", Denied, "This call is not about the patient of this launch.", "Start the app for the other patient.";
    PolicyDenied = "fhir.policy_denied", Denied, "The organisation's policy does not permit this.", "Ask your privacy officer if this is not expected.";
    MethodNotAllowed = "fhir.method_not_allowed", Denied, "This method is not available here.", "Use GET, or POST on _search.";
    MediaTypeUnsupported = "fhir.media_type", Invalid, "Only JSON is spoken here.", "Send and accept application/fhir+json.";
    BodyTooLarge = "request.too_large", TooLarge, "The request is larger than this gateway takes.", "Send less at once.";
    PageHandleInvalid = "fhir.page_invalid", Invalid, "This page link is not valid in this launch or has expired.", "Run the search again.";
    UpstreamError = "ehr.error", Upstream, "The EHR answered with an error.", "Try again in a minute; if it goes on, the EHR's support can help.";
    UpstreamUnauthorized = "ehr.unauthorized", Unauthenticated, "The EHR no longer accepts this sign-in.", "Start the app again from the EHR.";
    UpstreamForbidden = "ehr.forbidden", Denied, "The EHR does not allow this.", "Ask the EHR's administrator whether your account may see it.";
    UpstreamNotFound = "ehr.not_found", NotFound, "The EHR has no such record.", "Check the reference.";
    UpstreamGone = "ehr.gone", NotFound, "The record was deleted in the EHR.", "Read the list again.";
    UpstreamBusy = "ehr.busy", Unavailable, "The EHR is too busy.", "Wait, then try again.";
    UpstreamTimeout = "ehr.timeout", Timeout, "The EHR did not answer in time.", "Try again in a minute.";
    UpstreamUnreachable = "ehr.unreachable", Upstream, "The EHR could not be reached.", "Try again in a minute.";
    UpstreamInvalid = "ehr.invalid_response", Upstream, "The EHR's answer could not be understood.", "Try again; tell support the reference below.";
    UpstreamTooLarge = "ehr.too_large", Upstream, "The EHR's answer is larger than this gateway takes.", "Narrow the search.";
    UpstreamRedirect = "ehr.redirect", Upstream, "The EHR tried to send this call elsewhere.", "Nothing was sent there. Ask your administrator to check the EHR's address.";
    UpstreamForeignPatient = "ehr.foreign_patient", Upstream, "The EHR's answer held another patient's data, which was withheld.", "Tell the EHR's support and your privacy officer the reference below.";
    UpstreamForeignLink = "ehr.foreign_link", Upstream, "The EHR's answer pointed to another host.", "Nothing was sent there. Tell the EHR's support the reference below.";
    CircuitOpen = "ehr.circuit_open", Unavailable, "The EHR has been failing, so calls to it are paused for a moment.", "Wait, then try again.";
    LocalLimit = "gateway.limit", TooMany, "Too many calls at once.", "Wait, then try again.";
    AuditUnavailable = "audit.unavailable", Unavailable, "The call could not be recorded, so nothing was released.", "Try again in a minute; tell your administrator.";
    RevocationStale = "revocation.stale", Unavailable, "It could not be checked whether this session was ended, so nothing was released.", "Try again in a minute.";
    DependencyDown = "service.unavailable", Unavailable, "A part of the app is not available at the moment.", "Try again in a minute.";
    RequestInvalid = "request.invalid", Invalid, "The request could not be understood.", "Check the request.";
    CallerDenied = "rpc.caller_denied", Denied, "This service may not call that method.", "Check the service's identity.";
    NotFound = "request.not_found", NotFound, "There is nothing at this address.", "Check the address.";
    Internal = "internal", Internal, "Something went wrong on our side.", "Try again; tell support the reference below.";
}

impl Code {
    /// The code with that text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.as_str() == text)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_code_is_unique_and_speaks_in_whole_sentences() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!(code.sentence().ends_with('.') && code.next_step().ends_with('.'), "{code}");
        }
    }
}
