//! The registry of apps: those of the configuration and those registered while running.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use url::Url;

use crate::config::Client;

/// All registered clients by id. Registering an id again replaces it.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    by_id: RwLock<BTreeMap<String, Arc<Client>>>,
}

impl Clients {
    pub(crate) fn new(clients: &[Client]) -> Self {
        let by_id =
            clients.iter().map(|client| (client.client_id.clone(), Arc::new(client.clone()))).collect();
        Self { by_id: RwLock::new(by_id) }
    }

    pub(crate) fn register(&self, client: Client) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        by_id.insert(client.client_id.clone(), Arc::new(client));
    }

    pub(crate) fn get(&self, client_id: &str) -> Option<Arc<Client>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(client_id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The origins of all registered apps: they may frame the EHR's authorize pages, which appear inside
    /// an app's frame during a launch.
    pub(crate) fn origins(&self) -> Vec<String> {
        let mut origins: Vec<String> = Vec::new();
        for client in self.all() {
            for address in client.redirect_uris.iter().chain([&client.launch_url]) {
                let origin = Url::parse(address).ok().map(|url| url.origin());
                let Some(origin) = origin.filter(url::Origin::is_tuple) else { continue };
                let origin = origin.ascii_serialization();
                if !origins.contains(&origin) {
                    origins.push(origin);
                }
            }
        }
        origins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ClientAuth;

    fn client(id: &str, launch_url: &str) -> Client {
        Client {
            client_id: id.to_owned(),
            name: id.to_owned(),
            launch_url: launch_url.to_owned(),
            redirect_uris: vec!["http://localhost:8080/callback".to_owned()],
            auth: ClientAuth::Public,
            scopes: Vec::new(),
        }
    }

    #[test]
    fn origins_are_listed_once_and_opaque_ones_not_at_all() {
        let clients =
            Clients::new(&[client("a", "http://localhost:8080/launch"), client("b", "data:text/html,x")]);
        clients.register(client("c", "https://app.example/launch"));
        assert_eq!(clients.origins(), ["http://localhost:8080", "https://app.example"]);
    }
}
