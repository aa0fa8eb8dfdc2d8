//! The operator's side of a real OpenBao: keys, policies, roles.

use std::{path::PathBuf, time::Duration};

use sallyport_keyring::{Deployment, KeyEncryptionKey, KeyError, Login, Transit, TransitSettings, random};
use sallyport_model::Secret;
use serde_json::{Value, json};
use vaultrs::client::{VaultClient, VaultClientSettingsBuilder};

/// An operator's view of the server.
pub(crate) struct Bao {
    client: VaultClient,
    pub(crate) address: String,
    /// The key of this test alone.
    pub(crate) key: String,
    folder: tempfile::TempDir,
}

impl Bao {
    /// With a key of its own and a policy for it; `None`, and a word on stdout, in a quick run without a server.
    #[expect(clippy::print_stdout, reason = "a run without the server must say so")]
    pub(crate) async fn start() -> Option<Self> {
        let Ok(address) = std::env::var("SALLYPORT_TEST_OPENBAO") else {
            let is_quick = std::env::var("SALLYPORT_TEST_QUICK").is_ok_and(|quick| quick == "1");
            assert!(is_quick, "SALLYPORT_TEST_OPENBAO names no server: scripts/servers start DIR openbao");
            println!("ran without OpenBao (SALLYPORT_TEST_QUICK=1)");
            return None;
        };
        let _installed_already = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let token = std::env::var("SALLYPORT_TEST_OPENBAO_TOKEN").expect("SALLYPORT_TEST_OPENBAO_TOKEN");
        let settings = VaultClientSettingsBuilder::default().address(&address).token(token).build().unwrap();
        let client = VaultClient::new(settings).unwrap();
        let key = format!("test-{:016x}", u64::from_be_bytes(random::<8>()));
        let folder = tempfile::tempdir().unwrap();
        let bao = Self { client, address, key, folder };
        if bao.ask("GET", "sys/mounts/transit", None).await.0 != 200 {
            // Another test may be faster.
            bao.ask("POST", "sys/mounts/transit", Some(json!({"type": "transit"}))).await;
        }
        bao.ok("POST", &format!("transit/keys/{}", bao.key), Some(json!({"type": "aes256-gcm96"}))).await;
        bao.write_policy(true).await;
        Some(bao)
    }

    /// A name for something of this test.
    pub(crate) fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.key)
    }

    /// The policy of this test's logins: to use the key, or only to be there.
    pub(crate) async fn write_policy(&self, allows: bool) {
        let key = &self.key;
        let rules = if allows {
            format!(
                "path \"transit/encrypt/{key}\" {{ capabilities = [\"update\"] }}\n\
                 path \"transit/decrypt/{key}\" {{ capabilities = [\"update\"] }}\n\
                 path \"transit/rewrap/{key}\" {{ capabilities = [\"update\"] }}\n\
                 path \"transit/keys/{key}\" {{ capabilities = [\"read\"] }}\n\
                 path \"transit/keys/{key}/rotate\" {{ capabilities = [\"update\"] }}\n"
            )
        } else {
            "path \"sys/internal/nothing\" { capabilities = [\"read\"] }\n".to_owned()
        };
        let policy = self.name("policy");
        self.ok("PUT", &format!("sys/policies/acl/{policy}"), Some(json!({ "policy": rules }))).await;
    }

    /// A token of the policy in a file.
    pub(crate) async fn token_file(&self, ttl: &str) -> PathBuf {
        let body = json!({"policies": [self.name("policy")], "ttl": ttl, "renewable": true});
        let answer = self.ok("POST", "auth/token/create", Some(body)).await;
        self.write("token", answer["auth"]["client_token"].as_str().unwrap())
    }

    /// An AppRole of the policy whose tokens live no longer than `ttl`.
    pub(crate) async fn app_role(&self, ttl: &str) -> Login {
        let mount = self.name("approle");
        self.ok("POST", &format!("sys/auth/{mount}"), Some(json!({"type": "approle"}))).await;
        let role = format!("auth/{mount}/role/service");
        let body = json!({"token_policies": [self.name("policy")], "token_ttl": ttl, "token_max_ttl": ttl});
        self.ok("POST", &role, Some(body)).await;
        let role_id = self.ok("GET", &format!("{role}/role-id"), None).await;
        let secret = self.ok("POST", &format!("{role}/secret-id"), Some(json!({}))).await;
        Login::AppRole {
            mount,
            role_id: role_id["data"]["role_id"].as_str().unwrap().to_owned(),
            secret_id_file: self.write("secret-id", secret["data"]["secret_id"].as_str().unwrap()),
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        path
    }

    /// Settings for this test's key.
    pub(crate) fn settings(&self, login: Login) -> TransitSettings {
        TransitSettings { key: self.key.clone(), ..TransitSettings::new(self.address.clone(), login) }
    }

    /// A keeper that has logged in.
    pub(crate) async fn transit(&self) -> Transit {
        let login = Login::TokenFile(self.token_file("1h").await);
        let transit = Transit::connect(self.settings(login), Deployment::Development).unwrap();
        eventually("the login", || async { transit.is_connected() }).await;
        transit
    }

    pub(crate) async fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}/v1/{path}", self.address);
        let http = &self.client.http.http;
        let request = match method {
            "GET" => http.get(url),
            "PUT" => http.put(url),
            _ => http.post(url),
        };
        let request = request.header("X-Vault-Token", self.client.settings.token.as_str());
        let answer = request.body(body.unwrap_or_default().to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }
}

/// Wraps and unwraps once.
pub(crate) async fn use_once(kek: &dyn KeyEncryptionKey) -> Result<(), KeyError> {
    let key = Secret::new(random::<32>().to_vec());
    let wrapped = kek.wrap(b"place", &key).await?;
    assert_eq!(kek.unwrap(b"place", &wrapped).await?.expose(), key.expose());
    Ok(())
}

/// Waits for something that happens in the background; never the decision itself.
pub(crate) async fn eventually<F, Fut>(what: &str, check: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "{what} did not happen in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
