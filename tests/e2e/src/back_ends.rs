//! Which back ends a whole instance of a test stands on: the embedded ones, or the real servers that the environment
//! names, with a schema prefix, queues and keys of the test's own.

use anyhow::{Context, ensure};
use http::Method;
use sallyport::demo::browser::Browser;
use sallyport_db::sqlx::{self, AssertSqlSafe, Connection, PgConnection, Row};
use url::Url;

/// Prepared back ends; [`RealServers::remove`] leaves nothing behind.
pub struct RealServers {
    database: String,
    prefix: String,
}

impl RealServers {
    /// The real servers, when `SALLYPORT_TEST_BACK_ENDS=real` asks for them.
    ///
    /// # Errors
    /// When they are asked for and not named, or the key service refuses a key.
    pub async fn wanted() -> anyhow::Result<Option<Self>> {
        if !std::env::var("SALLYPORT_TEST_BACK_ENDS").is_ok_and(|value| value == "real") {
            return Ok(None);
        }
        let unique = sallyport_model::RequestId::new(&sallyport_model::SystemClock).to_string();
        let prefix = format!("e2e_{}", unique.replace('-', ""));
        let keys = Url::parse(&named("OPENBAO")?)?.join(&format!("v1/transit/keys/{prefix}"))?;
        let token = named("OPENBAO_TOKEN")?;
        let headers = [("x-vault-token", token.as_str()), ("content-type", "application/json")];
        let made = Browser::new().send(Method::POST, &keys, &headers, r#"{"type":"aes256-gcm96"}"#).await?;
        ensure!(made.status < 300, "the key service made no key: {}", made.status);
        Ok(Some(Self { database: named("POSTGRES")?, prefix }))
    }

    /// The sections of a configuration file.
    ///
    /// # Errors
    /// When a server is not named.
    pub fn sections(&self) -> anyhow::Result<String> {
        Ok(format!(
            "\n[database]\nurl = \"{}\"\nschema_prefix = \"{prefix}\"\n\
             [queue]\nurl = \"{}\"\nprefix = \"{prefix}.\"\n\
             [kv]\nurl = \"{}\"\nprefix = \"{prefix}:\"\n\
             [keyring]\naddress = \"{}\"\nkey = \"{prefix}\"\nrole_id_file = \"{}\"\nsecret_id_file = \"{}\"\n",
            self.database,
            named("RABBITMQ")?,
            named("REDIS")?,
            named("OPENBAO")?.trim_end_matches('/'),
            named("OPENBAO_ROLE_ID_FILE")?,
            named("OPENBAO_SECRET_ID_FILE")?,
            prefix = self.prefix,
        ))
    }

    /// Every row of every table, as text: what an eye on the database would see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn rows(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut connection = PgConnection::connect(&self.database).await?;
        let tables = sqlx::query(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema LIKE $1",
        )
        .bind(format!("{}%", self.prefix))
        .fetch_all(&mut connection)
        .await?;
        let mut found = Vec::new();
        for table in tables {
            let table: String = table.try_get(0)?;
            let query = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
            let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut connection).await?;
            found.push((table, as_stored(&rows.join("\n"))));
        }
        Ok(found)
    }

    /// Removes the schemas. Queues and cached values of a test are of a server that ends with the test run.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn remove(self) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.database).await?;
        let schemas: Vec<String> =
            sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE $1")
                .bind(format!("{}%", self.prefix))
                .fetch_all(&mut connection)
                .await?;
        for schema in schemas {
            let drop = AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"));
            sqlx::query(drop).execute(&mut connection).await?;
        }
        Ok(())
    }
}

/// Byte strings as the bytes that are stored: the server shows them as `\x` and hexadecimal digits.
fn as_stored(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count() & !1;
        let (hexadecimal, rest) = part.split_at(digits);
        let pairs = hexadecimal.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
        bytes.extend(pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

fn named(server: &str) -> anyhow::Result<String> {
    let variable = format!("SALLYPORT_TEST_{server}");
    std::env::var(&variable).with_context(|| {
        format!("{variable} names no server: scripts/servers start DIR starts one, then source DIR/env")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn byte_strings_are_searched_as_they_are_stored() {
        assert_eq!(super::as_stored(r#"(a,"\\x6162ff",9)"#), b"(a,\"\\ab\xff\",9)");
        assert_eq!(super::as_stored("(token,text)"), b"(token,text)");
    }
}
