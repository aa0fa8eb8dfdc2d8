//! Requests to a token endpoint as forms, and what comes back (SMART 2.2 app-launch §Obtain access token, RFC 6749).

mod refusal;
mod response;

use base64::{Engine, engine::general_purpose::STANDARD};
use sallyport_model::Secret;
use url::form_urlencoded;

pub use refusal::{Refusal, refusal};
pub use response::{ResponseFault, TokenResponse};

/// The largest answer of a token endpoint that is read. Tokens alone may have 64 KiB each.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// What is redeemed.
#[derive(Debug)]
pub enum Grant<'a> {
    /// An authorization code, with exactly what the transaction was started with (TOK-01).
    AuthorizationCode {
        /// The code.
        code: &'a Secret<String>,
        /// The redirect URI of the authorization request.
        redirect_uri: &'a str,
        /// The PKCE verifier.
        code_verifier: &'a Secret<String>,
    },
    /// A refresh token. `scope` is never sent: the same scopes are meant (RFSH-01).
    RefreshToken(&'a Secret<String>),
    /// SMART Backend Services (BSVC-01).
    ClientCredentials {
        /// `system/…` scopes.
        scope: &'a str,
    },
}

/// How the client shows who it is.
#[derive(Debug)]
pub enum Credential<'a> {
    /// A public client: only its id (TOK-02).
    Public,
    /// HTTP Basic (TOK-03).
    Basic {
        /// The secret.
        secret: &'a Secret<String>,
        /// Form-encode both parts first, as RFC 6749 §2.3.1 says and SMART's example does not.
        form_encodes: bool,
    },
    /// Secret in the body.
    Post(&'a Secret<String>),
    /// `private_key_jwt` (JWT-04).
    Assertion(&'a Secret<String>),
}

/// The client as a token endpoint sees it.
#[derive(Debug)]
pub struct Client<'a> {
    /// As issued at registration.
    pub id: &'a str,
    /// How it authenticates.
    pub credential: Credential<'a>,
    /// Send `client_id` in the body for confidential clients too (a vendor's wish).
    pub id_in_body: bool,
}

/// A form ready to be posted.
#[derive(Debug)]
pub struct Form {
    /// The value of `Authorization`, for Basic.
    pub authorization: Option<Secret<String>>,
    /// The body, `application/x-www-form-urlencoded`.
    pub body: Secret<String>,
}

impl Client<'_> {
    /// The form of a token request.
    pub fn token_form(&self, grant: &Grant<'_>) -> Form {
        match grant {
            Grant::AuthorizationCode { code, redirect_uri, code_verifier } => self.form(&[
                ("grant_type", "authorization_code"),
                ("code", code.expose()),
                ("redirect_uri", redirect_uri),
                ("code_verifier", code_verifier.expose()),
            ]),
            Grant::RefreshToken(token) => {
                self.form(&[("grant_type", "refresh_token"), ("refresh_token", token.expose())])
            }
            Grant::ClientCredentials { scope } => {
                self.form(&[("grant_type", "client_credentials"), ("scope", scope)])
            }
        }
    }

    /// The form of a revocation (RFC 7009 §2.1) or an introspection (RFC 7662 §2.1); `hint` is `refresh_token` or
    /// `access_token`.
    pub fn token_hint_form(&self, token: &Secret<String>, hint: &str) -> Form {
        self.form(&[("token", token.expose()), ("token_type_hint", hint)])
    }

    fn form(&self, pairs: &[(&str, &str)]) -> Form {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(pairs);
        let mut authorization = None;
        let mut id_in_body = self.id_in_body;
        match &self.credential {
            Credential::Public => id_in_body = true,
            Credential::Basic { secret, form_encodes } => {
                authorization = Some(basic(self.id, secret, *form_encodes));
            }
            Credential::Post(secret) => {
                id_in_body = true;
                body.append_pair("client_secret", secret.expose());
            }
            Credential::Assertion(assertion) => {
                body.append_pair("client_assertion_type", crate::assertion::ASSERTION_TYPE);
                body.append_pair("client_assertion", assertion.expose());
            }
        }
        if id_in_body {
            body.append_pair("client_id", self.id);
        }
        Form { authorization, body: Secret::new(body.finish()) }
    }
}

/// The form of an introspection that an access token of the grant authorises, as RFC 7662 §2.1 allows.
pub fn bearer_hint_form(token: &Secret<String>, hint: &str) -> Form {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("token", token.expose()).append_pair("token_type_hint", hint);
    let authorization = Some(Secret::new(format!("Bearer {}", token.expose())));
    Form { authorization, body: Secret::new(body.finish()) }
}

fn basic(id: &str, secret: &Secret<String>, form_encodes: bool) -> Secret<String> {
    let encode = |text: &str| match form_encodes {
        true => form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        false => text.to_owned(),
    };
    let pair = Secret::new(format!("{}:{}", encode(id), encode(secret.expose())));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn fields(form: &Form) -> BTreeMap<String, String> {
        form_urlencoded::parse(form.body.expose().as_bytes()).into_owned().collect()
    }

    fn names(form: &Form) -> Vec<String> {
        fields(form).into_keys().collect()
    }

    fn code_form(client: &Client<'_>) -> Form {
        client.token_form(&Grant::AuthorizationCode {
            code: &secret("c/o+d e"),
            redirect_uri: "https://app.example.org/callback/r?x=1",
            code_verifier: &secret("verifier"),
        })
    }

    #[test]
    fn a_public_client_names_itself_in_the_body() {
        let form = code_form(&Client { id: "app", credential: Credential::Public, id_in_body: false });
        let fields = fields(&form);
        assert_eq!(fields["grant_type"], "authorization_code");
        assert_eq!(fields["code"], "c/o+d e");
        assert_eq!(fields["redirect_uri"], "https://app.example.org/callback/r?x=1");
        assert_eq!(fields["code_verifier"], "verifier");
        assert_eq!(fields["client_id"], "app");
        assert!(form.authorization.is_none());
    }

    #[test]
    fn basic_matches_the_published_example_and_leaves_the_id_out_of_the_body() {
        let secret = secret("my-app-secret-123");
        let credential = Credential::Basic { secret: &secret, form_encodes: false };
        let form = code_form(&Client { id: "my-app", credential, id_in_body: false });
        let header = form.authorization.as_ref().unwrap();
        assert_eq!(header.expose(), "Basic bXktYXBwOm15LWFwcC1zZWNyZXQtMTIz");
        assert_eq!(names(&form), ["code", "code_verifier", "grant_type", "redirect_uri"]);
    }

    #[test]
    fn basic_can_form_encode_both_parts_first() {
        let secret = secret("a:b c");
        let credential = Credential::Basic { secret: &secret, form_encodes: true };
        let form = code_form(&Client { id: "i/d", credential, id_in_body: true });
        let header = form.authorization.as_ref().unwrap();
        assert_eq!(header.expose(), &format!("Basic {}", STANDARD.encode("i%2Fd:a%3Ab+c")));
        assert_eq!(fields(&form)["client_id"], "i/d");
    }

    #[test]
    fn post_and_assertion_put_their_proof_into_the_body() {
        let proof = secret("s3cret");
        let post = Client { id: "app", credential: Credential::Post(&proof), id_in_body: false };
        let fields_of = fields(&post.token_form(&Grant::RefreshToken(&secret("r"))));
        assert_eq!((fields_of["client_secret"].as_str(), fields_of["client_id"].as_str()), ("s3cret", "app"));
        let jwt = Client { id: "app", credential: Credential::Assertion(&proof), id_in_body: false };
        let form = jwt.token_form(&Grant::ClientCredentials { scope: "system/Patient.rs" });
        assert_eq!(names(&form), ["client_assertion", "client_assertion_type", "grant_type", "scope"]);
    }

    #[test]
    fn a_refresh_asks_for_no_scope() {
        let client = Client { id: "app", credential: Credential::Public, id_in_body: false };
        let form = client.token_form(&Grant::RefreshToken(&secret("r")));
        assert_eq!(names(&form), ["client_id", "grant_type", "refresh_token"]);
    }

    #[test]
    fn a_form_never_prints_what_it_carries() {
        let form = code_form(&Client { id: "app", credential: Credential::Public, id_in_body: false });
        assert_eq!(format!("{form:?}"), "Form { authorization: None, body: [secret] }");
    }
}
