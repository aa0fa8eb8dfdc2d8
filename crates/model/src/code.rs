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
    LaunchScopeTooLong = "launch.scope_too_long", Denied, "What this app needs is more than the EHR takes in one request.", "An administrator must leave features out of the app entry, or override the endpoint's `scopes.max_bytes`.";
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
    LaunchStepUpOther = "launch.step_up_other", Denied, "The EHR signed in another person, or opened another patient, than in the chart that this started from.", "Nothing was opened. Go back to the chart, and sign in as the same person for the same patient.";
    SessionMissing = "session.missing", Unauthenticated, "There is no open session for this chart in this browser.", "Start the app again from the EHR.";
    SessionExpired = "session.expired", Unauthenticated, "The session ended because it was not used for a while or reached its longest time.", "Start the app again from the EHR.";
    SessionRevoked = "session.revoked", Unauthenticated, "The session was ended by you or by an administrator.", "Start the app again from the EHR.";
    SessionCookieBlocked = "session.cookie_blocked", Unauthenticated, "The browser did not keep the app's cookie inside the EHR's frame.", "Open the app in a new window.";
    ConsoleSignedOut = "console.signed_out", Unauthenticated, "Nobody is signed in at the console in this browser.", "Sign in again.";
    ConsoleEnded = "console.ended", Unauthenticated, "The session at the console is over.", "Sign in again.";
    ConsoleLinkUsed = "console.link_used", Denied, "The sign-in link was used already, is too old, or was never made.", "Ask for a new one: sallyport console.";
    ConsoleNotPermitted = "console.not_permitted", Denied, "Your role at the console does not allow this.", "Somebody with that right can do it; docs/CONSOLE.md says which roles have which.";
    ConsoleTenantDenied = "console.tenant_denied", Denied, "You are not signed in for this tenant.", "Choose one of your tenants.";
    RequestCrossSite = "request.cross_site", Denied, "The request came from another site.", "Use the app's own page.";
    GrantUncertain = "grant.uncertain", Unauthenticated, "It is not known whether the EHR renewed the sign-in, and asking twice could end it.", "Start the app again from the EHR; nothing was lost.";
    GrantDead = "grant.dead", Unauthenticated, "The EHR ended this sign-in.", "Start the app again from the EHR.";
    GrantUnknown = "grant.unknown", NotFound, "There is no such authorisation.", "Start the app again from the EHR.";
    GrantRevoked = "grant.revoked", Unauthenticated, "This authorisation was withdrawn.", "Start the app again from the EHR.";
    GrantUnreadable = "grant.unreadable", Unauthenticated, "What was stored for this sign-in cannot be opened with the present keys.", "Start the app again from the EHR. Operators: the key service lost its key, or a database was restored without it; docs/OPERATIONS.md says what to do.";
    IntrospectionNotOffered = "grant.introspection_not_offered", NotFound, "The EHR does not say anything about its tokens.", "Ask the EHR's support, or end the session.";
    BackendNotAllowed = "grant.backend_not_allowed", Denied, "This registration is not set up for jobs that run by themselves.", "When the EHR has registered the client for the client credentials grant, add \"backend\" to the registration's launches.";
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
    ParameterMissing = "fhir.parameter_missing", Invalid, "The EHR needs another search parameter for this type.", "Add one of the parameters that the answer or docs/VENDORS.md names.";
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
    UpstreamParameter = "ehr.parameter_refused", Invalid, "The EHR does not understand a search parameter.", "Leave it out, or override what the endpoint's profile says about it.";
    UpstreamNotOffered = "ehr.not_offered", NotFound, "The EHR does not offer this.", "Use what its CapabilityStatement lists.";
    UpstreamPageExpired = "ehr.page_expired", Conflict, "The EHR has forgotten the search that this page belongs to.", "Run the search again.";
    UpstreamConflict = "ehr.conflict", Conflict, "The EHR's record has changed, or breaks a rule of the EHR's.", "Read it again, then decide anew.";
    WriteNotOffered = "write.not_offered", Denied, "This EHR does not take this kind of record from apps.", "Enter it in the EHR itself.";
    WriteNotValidated = "write.not_validated", Denied, "Writing is not switched on here: nobody has recorded its clinical validation.", "An administrator records who validated it, when and with what evidence in the tenant's file.";
    WritePayloadInvalid = "write.payload_invalid", Invalid, "What was to be written is not a record of this type.", "Check the record's type, id and identifiers.";
    WritePayloadChanged = "write.payload_changed", Conflict, "What was to be written is not what was approved.", "Look at it again, then approve it anew.";
    WriteBaseMissing = "write.base_missing", Invalid, "A change needs the version of the record that it is based on.", "Read the record again and send its version with If-Match.";
    WriteRefused = "write.refused", Denied, "The EHR did not accept this record; nothing was written.", "Check what is written; the EHR's administrator can say what it takes.";
    WriteConflict = "write.conflict", Conflict, "The record was changed by somebody else meanwhile; nothing was written.", "Read the record again, then decide anew.";
    WriteUnknown = "write.unknown", Timeout, "It is not known yet whether the EHR has kept this record. It is being looked for.", "Do not enter it again. Look again in a minute; what was found is shown here.";
    WriteInProgress = "write.in_progress", Conflict, "This very record is being written at the moment.", "Look again in a moment.";
    EndpointOverrideExpired = "endpoint.override_expired", Denied, "A setting that this EHR's connection depends on was good until a day that has passed.", "An administrator must renew or remove the override in the tenant's file; `sallyport config check` names it and its owner.";
    CircuitOpen = "ehr.circuit_open", Unavailable, "The EHR has been failing, so calls to it are paused for a moment.", "Wait, then try again.";
    LocalLimit = "gateway.limit", TooMany, "Too many calls at once.", "Wait, then try again.";
    PartialNarrowed = "partial.narrowed", Upstream, "The EHR takes this search only with a filter, so some entries may be missing.", "Name the filter yourself, or look in the EHR for what is not shown.";
    PartialWithheldByEhr = "partial.ehr_withheld", Upstream, "The EHR says that it left something out.", "Ask the EHR's administrator whether your account or this app may see it.";
    PartialShortRead = "partial.short_read", Upstream, "The EHR counts more entries than it gave.", "Look in the EHR for what is not shown; its support can be told of it.";
    PartialLoop = "partial.page_loop", Upstream, "The EHR's pages lead in a circle, so they were not followed further.", "Look in the EHR for what is not shown; its support can be told of it.";
    PartialStall = "partial.page_stall", Upstream, "The EHR's pages go on without anything new, so they were not followed further.", "Look in the EHR for what is not shown; its support can be told of it.";
    PartialPageLimit = "partial.page_limit", Upstream, "The search has more entries than are followed.", "Narrow the search.";
    JobUnknown = "job.unknown", NotFound, "There is no such job in the tenant's file.", "List the tenant's jobs with `sallyport jobs list`.";
    JobOff = "job.off", Denied, "The job is switched off in the tenant's file.", "Set `on = true` for it when it may be used again.";
    JobBlocked = "job.blocked", Denied, "Jobs of this tenant, vendor, endpoint or registration were stopped, and none may start.", "Find out why they were stopped; `sallyport jobs allow` lets them start again.";
    JobRunOpen = "job.run_open", Conflict, "A run of this job is not over yet.", "Wait for it, resume it, or stop it.";
    JobIdentityRefused = "job.identity_refused", Denied, "The job cannot read on this authority.", "Check whose grant was named, for which registration it is, and the job's identity.";
    JobScopeMissing = "job.scope_missing", Denied, "The EHR did not grant what the job's feature needs at least.", "Ask the EHR's administrator to grant the named scope to the client.";
    JobScopeChanged = "job.scope_changed", Denied, "The EHR grants something else than when the run started.", "Review the change. `sallyport jobs retry` goes on when the pinned scopes are granted again; otherwise start a new run.";
    JobDefinitionChanged = "job.definition_changed", Conflict, "What the run pinned of the job's definition has changed.", "Start a new run, or restore the definition.";
    JobCohortEmpty = "job.cohort_empty", Invalid, "The job's cohort names nobody.", "Name the patients; a run over nobody is a mistake.";
    JobCohortUnreadable = "job.cohort_unreadable", Invalid, "The file that names the job's cohort cannot be read, or holds what is no patient's id.", "Check the file: one logical id on each line.";
    JobKindMissing = "job.kind_missing", Denied, "This version cannot run jobs of this kind.", "Use a version that can.";
    JobStoppedByOperator = "job.stopped", Conflict, "The run was stopped by somebody.", "`sallyport jobs retry` goes on from its checkpoints.";
    JobKilled = "job.killed", Conflict, "The run was stopped together with others: of its tenant, vendor, endpoint or registration, or on its grant.", "When the reason is gone, let jobs start again with `sallyport jobs allow`, then retry the run.";
    JobItemPanicked = "job.item_broke", Internal, "Working on this item broke the program.", "Tell support the run; re-drive the item after an update.";
    JobItemDeadly = "job.item_deadly", Internal, "Workers died again and again while they worked on this item.", "Tell support the run; re-drive the item after an update.";
    RunUnknown = "run.unknown", NotFound, "There is no such run.", "List runs with `sallyport jobs list`.";
    RunStateRefused = "run.state", Conflict, "The run is not in a state in which this can be done.", "Look at it with `sallyport jobs show`.";
    RunDenied = "run.denied", Denied, "The job's authority does not fit what it asked for.", "Check the job's definition: its registration, feature, purpose and cohort, and whose grant it runs on.";
    LookNotConfigured = "look.not_configured", Conflict, "Nobody has said how this endpoint is looked at without a person.", "Add [endpoint.look] to the tenant's file: a registration for services, its feature, and test patients.";
    LookDenied = "look.denied", Denied, "This patient is not one of the endpoint's test patients.", "A look without a person is at the patients in [endpoint.look] alone; anybody else needs a person's launch.";
    RunExpired = "run.expired", Conflict, "The job's hold on this piece of work has ended.", "Nothing to do: whoever holds it now goes on from the last checkpoint.";
    BulkHandleInvalid = "bulk.handle_invalid", Invalid, "This handle of an export or a file is not of this run.", "Ask for the export's status again.";
    BulkForeignAddress = "bulk.foreign_address", Upstream, "The EHR's export pointed to an address that is not registered for it.", "Nothing was sent there. If it is the EHR's, an administrator adds it to the endpoint's bulk_origins or bulk_file_origins.";
    BulkWait = "bulk.wait", Unavailable, "This EHR takes no further export yet.", "Nothing to do: the job goes on when the EHR's time is over.";
    BulkNotOffered = "bulk.not_offered", Denied, "This EHR does not export in the way that was asked for.", "Change the job's cohort or its filters; docs/VENDORS.md says what the product can do.";
    BulkInvalid = "bulk.invalid_response", Upstream, "The EHR's answer about the export could not be understood.", "Try again; tell the EHR's support the reference.";
    BulkExportFailed = "bulk.export_failed", Upstream, "The EHR says that the export failed.", "Start the job again later; the EHR's support can say why.";
    BulkFileGone = "bulk.file_gone", NotFound, "The EHR does not give this file any more: its address has expired, or the export was deleted.", "Ask for the export's status again for a new address.";
    BulkFileChanged = "bulk.file_changed", Conflict, "The EHR's file is not the one of which a part was read.", "Read the file again from its start.";
    BulkLineInvalid = "bulk.line_invalid", Upstream, "A line of the EHR's file is no resource, so it was withheld.", "Tell the EHR's support the file and the line's place.";
    BulkLineTooLong = "bulk.line_too_long", Upstream, "A line of the EHR's file is longer than this gateway takes, so it was withheld.", "An administrator can raise max_bulk_line_bytes.";
    WriteInterrupted = "write.interrupted", Conflict, "The approval was interrupted before anything was written.", "Nothing was written. Look at it again and approve it once more.";
    ProposalUnknown = "proposal.unknown", NotFound, "There is no such proposal for this patient.", "Look at the proposals again.";
    ProposalChanged = "proposal.changed", Conflict, "The proposal is not the one that was shown: the record has changed meanwhile.", "Nothing was written. Look at it again, then decide anew.";
    ProposalEditInvalid = "proposal.edit_invalid", Invalid, "What was edited is not something that may be edited so.", "Nothing was written. Edit only the fields that are offered, without control characters, and not longer than they say.";
    ProposalDecided = "proposal.decided", Conflict, "The proposal has been decided on, has expired or was withdrawn.", "Nothing was written by this. Look at the proposals again.";
    AuditUnavailable = "audit.unavailable", Unavailable, "The call could not be recorded, so nothing was released.", "Try again in a minute; tell your administrator.";
    AuditNotSignedYet = "audit.not_signed_yet", Conflict, "The record is behind the last signed checkpoint.", "Ask again in some minutes: a checkpoint is signed every five.";
    RevocationStale = "revocation.stale", Unavailable, "It could not be checked whether this session was ended, so nothing was released.", "Try again in a minute.";
    DependencyDown = "service.unavailable", Unavailable, "A part of the app is not available at the moment.", "Try again in a minute.";
    ClockSkew = "service.clock_skew", Unavailable, "A clock of the app is wrong, so nothing was done.", "Tell your administrator: a machine's clock is more than five minutes off.";
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
