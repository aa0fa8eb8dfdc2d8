//! The list of facts. A field of a part that is not here can neither be overridden nor shown: the list's test counts them.

use super::{Named, forms_of};

macro_rules! facts {
    ($($part:ident { $($field:ident,)* })*) => {
        /// Every fact that has a name.
        pub const FACTS: &[Named] = &[$($(Named {
            name: concat!(stringify!($part), ".", stringify!($field)),
            get: |profile| profile.$part.$field.shown(),
            set: |profile, value| profile.$part.$field.replace(value),
            forms: || forms_of(|profile| &profile.$part.$field),
        },)*)*];
    };
}

facts! {
    place {
        base_pattern, tenant, slash, names_default_port, base_by_persona, auth_host, foreign_issuer, discovery, omits,
    }
    oauth {
        pkce, audience, send_nonce, nonce_required, authorize_post, methods, algorithms, assertion_audience,
        client_id_at_exchange, client_id_at_refresh, basic_form_encodes, introspection, separate_backend_client,
    }
    scopes {
        dialect, separator, answers_in_v1, drops_silently, wildcards, granular, max_bytes, read_permits_search,
        mixed_case, granted_may_be_refused,
    }
    tokens {
        rotation, refresh_needs, online_access, refresh_margin_seconds, refresh_interval_seconds,
        refresh_idle_seconds, keep_alive_seconds, access_seconds, default_expires_seconds, max_expires_seconds,
        static_retry_budget, timeout_ms, banner_as_text, no_patient_standalone, extras, active_presence,
        issuer_suffixes, fhir_user,
    }
    search {
        unknown, controls, last_updated, includes, xml_by_default, max_matches, statement_binds,
    }
    paging {
        next, total, count, default_size, max_size, idle_seconds, repeats_rows, stops_short, next_may_be_empty,
        next_of_post_broken, next_on_base, mode_absent, full_url_elsewhere, marks,
    }
    errors {
        bodies, code_system, nothing_codes, partial_codes, correlation_headers, error_uri_only,
    }
    limits {
        windows, statuses, wait_told, wait_cap_seconds, fatal_as_5xx, hangs,
    }
    bulk {
        kick_offs, max_patients, repeat_seconds, concurrent, since, type_filter, type_list, lenient_drops_filters,
        poll_seconds, poll_cap_seconds, files, delete_needed, deletes_itself, duplicates, omits,
    }
    writes {
        trust, creates, updates, created, if_match_needed, read_scope_needed, conditional_create,
        mixed_codings_refused, drops_elements, relationship_needed, stale_status,
    }
    data {
        releases, max_id_length, last_updated, medication, attachments, status_may_be_missing, codes_doubled,
        code_systems_by_customer, foreign_references, extension_roots, identifier_roots, redacted_identifiers,
    }
    registration {
        sandbox, access, approval, approval_days, launches, scope_versions, test_users, metadata,
        client_id_by_environment, secret_expires,
    }
}
