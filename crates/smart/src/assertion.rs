//! `private_key_jwt`: client assertions, our keys and their public side (SMART 2.2 client-confidential-asymmetric).

mod jwk;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA384},
};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_model::Secret;

pub use jwk::{PublicJwk, jwks};

/// `client_assertion_type` (JWT-04).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion is good: below the five minutes allowed, so that a clock a minute behind ours still takes it.
pub const LIFETIME_SECONDS: i64 = 240;

/// The two algorithms that SMART requires (JWT-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA, P-384, SHA-384.
    Es384,
    /// RSA PKCS#1 v1.5, SHA-384.
    Rs384,
}

impl Algorithm {
    /// The `alg` value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es384 => "ES384",
            Self::Rs384 => "RS384",
        }
    }
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The file is not a private key in PEM.
    #[error("the key file is not an unencrypted private key in PEM")]
    NotPem,
    /// The key does not fit the algorithm: another curve or kind, or fewer than 2048 bits.
    #[error(
        "the key does not fit the algorithm: ES384 needs a P-384 key, RS384 an RSA key of at least 2048 bits"
    )]
    DoesNotFit,
    /// The signature could not be made.
    #[error("the key does not sign")]
    DoesNotSign,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

/// A key of ours that signs assertions. Its id is the RFC 7638 thumbprint, so it cannot collide in our JWKS.
pub struct SigningKey {
    pair: Pair,
    public: PublicJwk,
    kid: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// What an assertion says (JWT-03).
#[derive(Debug, Clone, Copy)]
pub struct Assertion<'a> {
    /// `iss` and `sub`.
    pub client_id: &'a str,
    /// `aud`: the token endpoint's URL, or the issuer where a vendor wants that.
    pub audience: &'a str,
    /// Now, in seconds.
    pub issued_at: i64,
    /// `jti`: new for each request and each retry.
    pub id: &'a str,
}

impl SigningKey {
    /// A new key with its PKCS#8 form, for sealed storage.
    ///
    /// # Errors
    /// [`KeyFault::DoesNotFit`] when the platform cannot make keys.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Secret<Vec<u8>>), KeyFault> {
        let made = match algorithm {
            Algorithm::Es384 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new())
                    .map(|document| document.as_ref().to_vec())
            }
            Algorithm::Rs384 => rsa::KeyPair::generate(rsa::KeySize::Rsa3072).and_then(|pair| {
                AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).map(|der| der.as_ref().to_vec())
            }),
        };
        let pkcs8 = Secret::new(made.map_err(|_unspecified| KeyFault::DoesNotFit)?);
        Ok((Self::from_pkcs8(algorithm, pkcs8.expose())?, pkcs8))
    }

    /// A key from its PKCS#8 form.
    ///
    /// # Errors
    /// [`KeyFault::DoesNotFit`].
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyFault> {
        let pair = match algorithm {
            Algorithm::Es384 => EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der).map(Pair::Ec),
            Algorithm::Rs384 => rsa::KeyPair::from_pkcs8(der).map(Pair::Rsa),
        };
        Self::new(pair.map_err(|_rejected| KeyFault::DoesNotFit)?)
    }

    /// A key from a PEM file: PKCS#8, or the older forms of either algorithm.
    ///
    /// # Errors
    /// [`KeyFault::NotPem`], [`KeyFault::DoesNotFit`].
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self, KeyFault> {
        if let Some(der) = pem_block(pem, "PRIVATE KEY")? {
            return Self::from_pkcs8(algorithm, der.expose());
        }
        let (label, rsa) = match algorithm {
            Algorithm::Es384 => ("EC PRIVATE KEY", false),
            Algorithm::Rs384 => ("RSA PRIVATE KEY", true),
        };
        let der = pem_block(pem, label)?.ok_or(KeyFault::NotPem)?;
        let pair = if rsa {
            rsa::KeyPair::from_der(der.expose()).map(Pair::Rsa)
        } else {
            EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der.expose()).map(Pair::Ec)
        };
        Self::new(pair.map_err(|_rejected| KeyFault::DoesNotFit)?)
    }

    fn new(pair: Pair) -> Result<Self, KeyFault> {
        let public = match &pair {
            Pair::Ec(pair) => PublicJwk::from_p384_point(pair.public_key().as_ref()),
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                PublicJwk::from_rsa(
                    key.modulus().big_endian_without_leading_zero(),
                    key.exponent().big_endian_without_leading_zero(),
                )
            }
        };
        let public = public.ok_or(KeyFault::DoesNotFit)?;
        let kid = public.thumbprint();
        Ok(Self { pair, public, kid })
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public side.
    pub fn public(&self) -> &PublicJwk {
        &self.public
    }

    /// Signs an assertion.
    ///
    /// # Errors
    /// [`KeyFault::DoesNotSign`].
    pub fn sign(&self, assertion: &Assertion<'_>) -> Result<Secret<String>, KeyFault> {
        let algorithm = match &self.pair {
            Pair::Ec(_) => Algorithm::Es384,
            Pair::Rsa(_) => Algorithm::Rs384,
        };
        let header = serde_json::json!({ "alg": algorithm.as_str(), "kid": self.kid, "typ": "JWT" });
        let claims = serde_json::json!({
            "iss": assertion.client_id,
            "sub": assertion.client_id,
            "aud": assertion.audience,
            "iat": assertion.issued_at,
            "exp": assertion.issued_at + LIFETIME_SECONDS,
            "jti": assertion.id,
        });
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.signature(message.as_bytes())?;
        Ok(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_unspecified| KeyFault::DoesNotSign)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA384, &random, message, &mut signature)
                    .map_err(|_unspecified| KeyFault::DoesNotSign)?;
                Ok(signature)
            }
        }
    }
}

/// The contents of the first PEM block with that label (RFC 7468).
fn pem_block(pem: &str, label: &str) -> Result<Option<Secret<Vec<u8>>>, KeyFault> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let Some((_, rest)) = pem.split_once(&begin) else { return Ok(None) };
    let (body, _) = rest.split_once(&end).ok_or(KeyFault::NotPem)?;
    let packed = Secret::new(body.split_ascii_whitespace().collect::<String>());
    let der = STANDARD.decode(packed.expose()).map_err(|_not_base64| KeyFault::NotPem)?;
    Ok(Some(Secret::new(der)))
}

#[cfg(test)]
mod tests;
