//! Sessions: opened by a successful launch, kept by what a person does, ended once and for a reason.

use sallyport_db::{Error, on_pool, on_tx, server_now};
use sallyport_model::{
    AppId, Clock, EncounterId, EndpointId, FeatureId, GrantId, LaunchId, Micros, PatientId, RegistrationId,
    TenantId, User,
};
use sallyport_proto::types::v1::selector::By;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, digest_of, launch, malformed, none_if_empty};

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The person signed out.
    Logout,
    /// Idle or absolute lifetime.
    Expired,
    /// An operator.
    Revoked,
    /// One launch too many in the same browser.
    Evicted,
}

impl EndReason {
    /// The word in rows, records and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Evicted => "evicted",
        }
    }
}

/// A session's content. What identifies a patient has no `Debug` of its own.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) launch: LaunchId,
    pub(crate) tenant: TenantId,
    pub(crate) endpoint: EndpointId,
    pub(crate) registration: RegistrationId,
    pub(crate) app: AppId,
    pub(crate) is_ehr_launch: bool,
    pub(crate) grant: GrantId,
    pub(crate) user: Option<User>,
    pub(crate) user_display: Option<Display>,
    pub(crate) patient: Option<PatientId>,
    pub(crate) encounter: Option<EncounterId>,
    pub(crate) granted_scope: String,
    pub(crate) intent: Option<String>,
    pub(crate) need_patient_banner: bool,
    pub(crate) fhir_context_json: Context,
    pub(crate) smart_style_url: Option<String>,
    pub(crate) features: Vec<FeatureId>,
    pub(crate) traceparent: String,
    pub(crate) renewable: bool,
    pub(crate) token_expires_at: Micros,
    pub(crate) created_at: Micros,
    pub(crate) last_active_at: Micros,
    pub(crate) absolute_expires_at: Micros,
}

macro_rules! unprinted {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $name(pub(crate) String);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("[personal]")
            }
        }
    };
}

unprinted!(/** How the person is called. */ Display);
unprinted!(/** `fhirContext` as JSON: its references can identify a patient. */ Context);

/// What is inserted.
#[derive(Debug)]
pub(crate) struct NewSession {
    pub(crate) session: Session,
    pub(crate) secret_digest: [u8; 32],
}

/// A session with what decides whether it still is one.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) session: Session,
    pub(crate) secret_digest: [u8; 32],
    pub(crate) ended: Option<EndReason>,
}

/// `SELECT` with the columns named, so that one added by a later version changes no prepared statement.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT launch_id, tenant, endpoint, registration, app, is_ehr_launch, secret_digest, grant_id, \
             user_issuer, user_subject, fhir_user, user_display, patient, encounter, granted_scope, intent, \
             need_patient_banner, fhir_context_json, smart_style_url, features, traceparent, renewable, \
             token_expires_at, created_at, last_active_at, absolute_expires_at, ended_at, end_reason FROM sessions ",
            $rest
        )
    };
}

#[derive(FromRow)]
struct Row {
    launch_id: Uuid,
    tenant: String,
    endpoint: String,
    registration: String,
    app: String,
    is_ehr_launch: bool,
    secret_digest: Vec<u8>,
    grant_id: Uuid,
    user_issuer: String,
    user_subject: String,
    fhir_user: String,
    user_display: String,
    patient: String,
    encounter: String,
    granted_scope: String,
    intent: String,
    need_patient_banner: bool,
    fhir_context_json: String,
    smart_style_url: String,
    features: String,
    traceparent: String,
    renewable: bool,
    token_expires_at: Micros,
    created_at: Micros,
    last_active_at: Micros,
    absolute_expires_at: Micros,
    ended_at: Option<Micros>,
    end_reason: String,
}

impl TryFrom<Row> for Open {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let user = none_if_empty(row.user_subject).map(|subject| User {
            issuer: row.user_issuer,
            subject,
            fhir_user: none_if_empty(row.fhir_user),
        });
        let ended = row.ended_at.map(|_at| match row.end_reason.as_str() {
            "logout" => EndReason::Logout,
            "expired" => EndReason::Expired,
            "evicted" => EndReason::Evicted,
            _ => EndReason::Revoked,
        });
        let session = Session {
            launch: launch(row.launch_id),
            tenant: TenantId::parse(&row.tenant).map_err(|_alphabet| malformed("tenant"))?,
            endpoint: EndpointId::parse(&row.endpoint).map_err(|_alphabet| malformed("endpoint"))?,
            registration: RegistrationId::parse(&row.registration)
                .map_err(|_alphabet| malformed("registration"))?,
            app: AppId::parse(&row.app).map_err(|_alphabet| malformed("app"))?,
            is_ehr_launch: row.is_ehr_launch,
            grant: GrantId::from_uuid(row.grant_id),
            user,
            user_display: none_if_empty(row.user_display).map(Display),
            patient: none_if_empty(row.patient)
                .map(|p| PatientId::parse(&p))
                .transpose()
                .map_err(|_shape| malformed("patient"))?,
            encounter: none_if_empty(row.encounter)
                .map(|e| EncounterId::parse(&e))
                .transpose()
                .map_err(|_shape| malformed("encounter"))?,
            granted_scope: row.granted_scope,
            intent: none_if_empty(row.intent),
            need_patient_banner: row.need_patient_banner,
            fhir_context_json: Context(row.fhir_context_json),
            smart_style_url: none_if_empty(row.smart_style_url),
            features: features(&row.features)?,
            traceparent: row.traceparent,
            renewable: row.renewable,
            token_expires_at: row.token_expires_at,
            created_at: row.created_at,
            last_active_at: row.last_active_at,
            absolute_expires_at: row.absolute_expires_at,
        };
        let secret_digest = digest_of(&row.secret_digest).ok_or_else(|| malformed("secret_digest"))?;
        Ok(Self { session, secret_digest, ended })
    }
}

/// Feature names as one text, and back.
pub(super) fn feature_words(features: &[FeatureId]) -> String {
    features.iter().map(FeatureId::as_str).collect::<Vec<_>>().join(" ")
}

pub(super) fn features(words: &str) -> Result<Vec<FeatureId>, Error> {
    words
        .split_ascii_whitespace()
        .map(FeatureId::parse)
        .collect::<Result<_, _>>()
        .map_err(|_alphabet| malformed("features"))
}

impl Store {
    /// Opens a session.
    pub(crate) async fn insert_session(&self, new: &NewSession) -> Result<(), Error> {
        let s = &new.session;
        let user = s.user.as_ref();
        on_pool!(self.always, |c| {
            sqlx::query(
            "INSERT INTO sessions (launch_id, tenant, endpoint, registration, app, is_ehr_launch, secret_digest, \
             grant_id, user_issuer, user_subject, fhir_user, user_display, patient, encounter, granted_scope, intent, \
             need_patient_banner, fhir_context_json, smart_style_url, features, traceparent, renewable, \
             token_expires_at, created_at, last_active_at, absolute_expires_at, ended_at, end_reason, grant_revoked) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
             $22, $23, $24, $25, $26, NULL, '', FALSE)",
        )
        .bind(s.launch.uuid())
        .bind(s.tenant.as_str())
        .bind(s.endpoint.as_str())
        .bind(s.registration.as_str())
        .bind(s.app.as_str())
        .bind(s.is_ehr_launch)
        .bind(new.secret_digest.as_slice())
        .bind(s.grant.uuid())
        .bind(user.map(|u| u.issuer.as_str()).unwrap_or_default())
        .bind(user.map(|u| u.subject.as_str()).unwrap_or_default())
        .bind(user.and_then(|u| u.fhir_user.as_deref()).unwrap_or_default())
        .bind(s.user_display.as_ref().map(|d| d.0.as_str()).unwrap_or_default())
        .bind(s.patient.as_ref().map(PatientId::expose).unwrap_or_default())
        .bind(s.encounter.as_ref().map(EncounterId::expose).unwrap_or_default())
        .bind(&s.granted_scope)
        .bind(s.intent.as_deref().unwrap_or_default())
        .bind(s.need_patient_banner)
        .bind(&s.fhir_context_json.0)
        .bind(s.smart_style_url.as_deref().unwrap_or_default())
        .bind(feature_words(&s.features))
        .bind(&s.traceparent)
        .bind(s.renewable)
        .bind(s.token_expires_at)
        .bind(s.created_at)
        .bind(s.last_active_at)
        .bind(s.absolute_expires_at)
        .execute(c)
        .await
        .map(|_done| ())
        })
    }

    /// The session of a launch, open or ended.
    pub(crate) async fn session(&self, launch: LaunchId) -> Result<Option<Open>, Error> {
        let row: Option<Row> = on_pool!(self.pool, |c| sqlx::query_as(select!("WHERE launch_id = $1"))
            .bind(launch.uuid())
            .fetch_optional(c)
            .await)?;
        row.map(Open::try_from).transpose()
    }

    /// Notes that a person did something at `at`. What came after the idle limit wakes nothing up.
    pub(crate) async fn touch(&self, launch: LaunchId, at: Micros, idle: Micros) -> Result<(), Error> {
        on_pool!(self.pool, |c| sqlx::query(
            "UPDATE sessions SET last_active_at = $2 \
             WHERE launch_id = $1 AND ended_at IS NULL AND last_active_at < $2 AND $2 - last_active_at < $3 \
             AND $2 < absolute_expires_at",
        )
        .bind(launch.uuid())
        .bind(at)
        .bind(idle)
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Ends a session and tells everybody who watches, in one transaction. `false` when it was ended already.
    pub(crate) async fn end_session(
        &self,
        launch: LaunchId,
        reason: EndReason,
        now: Micros,
    ) -> Result<bool, Error> {
        let mut tx = self.always.begin().await?;
        let ended = on_tx!(tx, |c| sqlx::query(
            "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE launch_id = $1 AND ended_at IS NULL"
        )
        .bind(launch.uuid())
        .bind(now)
        .bind(reason.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
        if ended == 0 {
            return Ok(false);
        }
        super::revocations::append(&mut tx, launch, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The vault has revoked the grant of an ended session.
    pub(crate) async fn grant_revoked(&self, launch: LaunchId) -> Result<(), Error> {
        on_pool!(self.always, |c| sqlx::query(
            "UPDATE sessions SET grant_revoked = TRUE WHERE launch_id = $1"
        )
        .bind(launch.uuid())
        .execute(c)
        .await
        .map(|_done| ()))
    }

    /// Open sessions whose time is over by our clock and by the database's: a clock that has just jumped must not end
    /// what people work in.
    pub(crate) async fn expired(&self, clock: &dyn Clock, idle: Micros) -> Result<Vec<Session>, Error> {
        let statement = self.pool.sql(
            concat!(
                select!("WHERE ended_at IS NULL AND (last_active_at <= LEAST($1, COALESCE($2, "),
                server_now!(),
                ")) - $3 OR absolute_expires_at <= LEAST($1, COALESCE($2, ",
                server_now!(),
                "))) ORDER BY launch_id LIMIT 200"
            ),
            select!(
                "WHERE ended_at IS NULL AND (last_active_at <= MIN($1, $2) - $3 OR absolute_expires_at <= MIN($1, $2)) \
                 ORDER BY launch_id LIMIT 200"
            ),
        );
        let rows: Vec<Row> = on_pool!(self.pool, |c| sqlx::query_as(statement)
            .bind(clock.now())
            .bind(self.pool.stated_time(clock))
            .bind(idle)
            .fetch_all(c)
            .await)?;
        sessions(rows)
    }

    /// Sessions ended before `before` whose grant the vault has not confirmed as revoked.
    pub(crate) async fn ended_with_live_grant(&self, before: Micros) -> Result<Vec<Session>, Error> {
        let rows: Vec<Row> = on_pool!(self.always, |c| sqlx::query_as(select!(
            "WHERE grant_revoked = FALSE AND ended_at < $1 ORDER BY ended_at LIMIT 200"
        ),)
        .bind(before)
        .fetch_all(c)
        .await)?;
        sessions(rows)
    }

    /// Open sessions of a tenant, oldest first.
    pub(crate) async fn open_sessions(&self, tenant: &TenantId) -> Result<Vec<Session>, Error> {
        let rows: Vec<Row> = on_pool!(self.always, |c| sqlx::query_as(select!(
            "WHERE tenant = $1 AND ended_at IS NULL ORDER BY launch_id"
        ))
        .bind(tenant.as_str())
        .fetch_all(c)
        .await)?;
        sessions(rows)
    }

    /// How many sessions of a tenant that a selector covers an operator has ended since then.
    pub(crate) async fn revoked_since(&self, of: (&TenantId, &By), since: Micros) -> Result<usize, Error> {
        let rows: Vec<Row> = on_pool!(self.always, |c| sqlx::query_as(select!(
            "WHERE tenant = $1 AND ended_at >= $2 AND end_reason = 'revoked'"
        ))
        .bind(of.0.as_str())
        .bind(since)
        .fetch_all(c)
        .await)?;
        Ok(sessions(rows)?.iter().filter(|session| is_selected(session, of.1)).count())
    }

    /// The open sessions of a tenant that a selector covers. The tenant is part of every choice: a handle of another
    /// tenant selects nothing.
    pub(crate) async fn selected(&self, tenant: &TenantId, by: &By) -> Result<Vec<Session>, Error> {
        let open = self.open_sessions(tenant).await?;
        Ok(open.into_iter().filter(|session| is_selected(session, by)).collect())
    }
}

fn is_selected(session: &Session, by: &By) -> bool {
    match by {
        By::Launch(id) => id.as_slice() == session.launch.uuid().as_bytes(),
        By::Grant(id) => id.as_slice() == session.grant.uuid().as_bytes(),
        By::User(user) => {
            session.user.as_ref().is_some_and(|u| u.issuer == user.issuer && u.subject == user.subject)
        }
        By::Tenant(name) => name == session.tenant.as_str(),
        By::Endpoint(name) => name == session.endpoint.as_str(),
        By::Registration(name) => name == session.registration.as_str(),
    }
}

fn sessions(rows: Vec<Row>) -> Result<Vec<Session>, Error> {
    rows.into_iter().map(|row| Open::try_from(row).map(|open| open.session)).collect()
}
