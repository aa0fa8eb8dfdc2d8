//! Signatures with the bare cryptographic library: RS256 for the server's own id_tokens, RS384 and ES384 for checking
//! what an app signed (RFC 7515, RFC 7518, RFC 7523).

use anyhow::{Context, bail, ensure};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize, PublicKeyComponents},
    signature::{self, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sallyport_model::{Clock, SystemClock};
use serde_json::{Value, json};

/// An RSA key of 2048 bits.
pub(super) struct SigningKey {
    pair: KeyPair,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl SigningKey {
    pub(super) fn generate() -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        // RSAPublicKey of PKCS #1: a sequence of two integers.
        let (sequence, rest) = der(0x30, pair.public_key().as_ref())?;
        ensure!(rest.is_empty(), "something follows the public key");
        let (modulus, rest) = der(0x02, sequence)?;
        let (exponent, _) = der(0x02, rest)?;
        let plain =
            |integer: &[u8]| integer.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        let (modulus, exponent) = (plain(modulus), plain(exponent));
        Ok(Self { pair, modulus, exponent })
    }

    pub(super) fn jwk(&self) -> Value {
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "the-only-one", "ext": true,
            "n": URL_SAFE_NO_PAD.encode(&self.modulus),
            "e": URL_SAFE_NO_PAD.encode(&self.exponent),
        })
    }

    pub(super) fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let mut signed = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(
            &signature::RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signed,
        )?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed)))
    }
}

/// One element of DER with the tag: its content, and what follows.
fn der(tag: u8, bytes: &[u8]) -> anyhow::Result<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>().context("der ends early")?;
    ensure!(found == tag, "der has another tag");
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f)).context("der ends early")?;
        (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
    };
    rest.split_at_checked(length).context("der ends early")
}

/// Checks a client assertion as SMART 2.2 asks servers to; its algorithm when it is good.
pub(super) fn check_assertion(
    jwt: &str,
    keys: &Value,
    client_id: &str,
    token_url: &str,
) -> anyhow::Result<String> {
    let (message, signed) = jwt.rsplit_once('.').context("no jwt")?;
    let (header, claims) = message.split_once('.').context("no jwt")?;
    let decode =
        |part: &str| -> anyhow::Result<Value> { Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?) };
    let (header, claims) = (decode(header)?, decode(claims)?);
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (algorithm, kid) = (text(&header, "alg"), text(&header, "kid"));
    ensure!(text(&header, "typ") == "JWT", "typ must be JWT");
    ensure!(!kid.is_empty(), "kid is missing");
    let published = keys.get("keys").and_then(Value::as_array).context("no key set")?;
    let key =
        published.iter().find(|key| text(key, "kid") == kid).context("kid is not in the app's key set")?;
    for private in ["d", "p", "q", "k"] {
        ensure!(key.get(private).is_none(), "the app publishes a private key");
    }
    let signed = URL_SAFE_NO_PAD.decode(signed)?;
    let member = |name: &str| -> anyhow::Result<Vec<u8>> { Ok(URL_SAFE_NO_PAD.decode(text(key, name))?) };
    match (algorithm.as_str(), text(key, "kty").as_str()) {
        ("RS384", "RSA") => PublicKeyComponents { n: member("n")?, e: member("e")? }
            .verify(&signature::RSA_PKCS1_2048_8192_SHA384, message.as_bytes(), &signed)
            .context("the signature is wrong")?,
        ("ES384", "EC") => {
            let point = [vec![4], member("x")?, member("y")?].concat();
            UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point)
                .verify(message.as_bytes(), &signed)
                .context("the signature is wrong")?;
        }
        _ => bail!("the algorithm does not fit the key"),
    }
    let now = SystemClock.now_seconds();
    let expires = claims.get("exp").and_then(Value::as_i64).context("exp is missing")?;
    ensure!(expires > now && expires <= now + 300, "exp must be within five minutes");
    ensure!(
        text(&claims, "iss") == client_id && text(&claims, "sub") == client_id,
        "iss and sub must be the client id"
    );
    ensure!(text(&claims, "aud") == token_url, "aud must be the token endpoint");
    ensure!(!text(&claims, "jti").is_empty(), "jti is missing");
    Ok(algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_under_the_published_key_alone() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let jwt = key.sign(&json!({ "alg": "RS256" }), &json!({ "sub": "x" })).unwrap();
        let (message, signed) = jwt.rsplit_once('.').unwrap();
        let signed = URL_SAFE_NO_PAD.decode(signed).unwrap();
        let verifies = |key: &SigningKey| {
            let public = PublicKeyComponents { n: key.modulus.clone(), e: key.exponent.clone() };
            public.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signed).is_ok()
        };
        assert!(verifies(&key) && !verifies(&other));
    }
}
