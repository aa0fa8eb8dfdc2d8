//! Reads a folder of tenant files into one immutable registry.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use sallyport_model::{EndpointId, FeatureId, JobId, Micros, RegistrationId, TenantId};

use crate::{
    App, Endpoint, Feature, FeatureKind, Job, Override, Registration, Tenant, builtin, check,
    file::TenantFile,
};

/// Why a registry cannot be used. Names the file and what to change.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or the folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file has a fault.
    #[error("{path}: {reason}")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// A sentence for an operator.
        reason: String,
    },
}

/// A registration with everything it hangs on.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Whose.
    pub tenant: &'a Tenant,
    /// Where.
    pub endpoint: &'a Endpoint,
    /// As whom.
    pub registration: &'a Registration,
    /// What opens.
    pub app: &'a App,
}

/// All tenants, as loaded at start.
#[derive(Debug)]
pub struct Registry {
    tenants: Vec<Tenant>,
    hash: String,
}

impl Registry {
    /// Loads every `*.toml` of `folder`, in name order.
    ///
    /// # Errors
    /// [`LoadError`] at the first fault; nothing is loaded then.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        Self::load_with(folder, Vec::new())
    }

    /// Loads `first` (name and text of files that the binary itself brings), then every `*.toml` of `folder`.
    ///
    /// # Errors
    /// [`LoadError`] at the first fault; nothing is loaded then.
    pub fn load_with(folder: &Path, first: Vec<(PathBuf, String)>) -> Result<Self, LoadError> {
        let read = |path: &Path, source| LoadError::Read { path: path.to_owned(), source };
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
            .map_err(|e| read(folder, e))?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .collect();
        paths.sort();
        let mut files = first;
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|e| read(&path, e))?;
            files.push((path, text));
        }
        Self::from_texts(&files)
    }

    /// Loads from texts; the path is what relative names in a text are relative to.
    ///
    /// # Errors
    /// [`LoadError::Invalid`] at the first fault.
    pub fn from_texts(files: &[(PathBuf, String)]) -> Result<Self, LoadError> {
        let invalid = |path: &Path, reason| LoadError::Invalid { path: path.to_owned(), reason };
        let features = builtin::features().map_err(|e| invalid(Path::new("features.toml"), e))?;
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut tenants: Vec<Tenant> = Vec::new();
        for (path, text) in files {
            hash.update(text.as_bytes());
            let file: TenantFile = toml::from_str(text).map_err(|e| invalid(path, describe(&e, text)))?;
            let folder = path.parent().unwrap_or(Path::new("."));
            let tenant = check::tenant_of(file, &features, folder).map_err(|e| invalid(path, e))?;
            if tenants.iter().any(|t| t.id == tenant.id) {
                return Err(invalid(path, format!("tenant {} is in another file already", tenant.id)));
            }
            for registration in &tenant.registrations {
                let taken = tenants.iter().flat_map(|t| &t.registrations).any(|r| r.id == registration.id);
                let twice = tenant.registrations.iter().filter(|r| r.id == registration.id).count() > 1;
                if taken || twice {
                    let reason =
                        format!("registration {} is taken; ids are unique over all tenants", registration.id);
                    return Err(invalid(path, reason));
                }
            }
            tenants.push(tenant);
        }
        Ok(Self { tenants, hash: hex::encode(hash.finish().as_ref()) })
    }

    /// SHA-256 over the files, in hex: services that disagree on it do not serve the same tenants.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether somebody still stands for every override.
    ///
    /// # Errors
    /// A sentence for an operator that names the first whose last day is over, with its owner and reason.
    pub fn check_overrides(&self, now: Micros) -> Result<(), String> {
        for tenant in &self.tenants {
            for endpoint in &tenant.endpoints {
                if let Some(over) = endpoint.behaviour.expired(now).next() {
                    let Override { key, owner, reason, expires, .. } = over;
                    return Err(format!(
                        "tenant {}, endpoint {}: the override of {key} was good until {expires}; every launch and call \
                         there is refused until its owner, {owner}, renews or removes it (it was made because: {reason})",
                        tenant.id, endpoint.id
                    ));
                }
            }
        }
        Ok(())
    }

    /// Every tenant.
    pub fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// The tenant of that id.
    pub fn tenant(&self, id: &TenantId) -> Option<&Tenant> {
        self.tenants.iter().find(|t| t.id == *id)
    }

    /// The endpoint of a tenant.
    pub fn endpoint(&self, tenant: &TenantId, endpoint: &EndpointId) -> Option<&Endpoint> {
        self.tenant(tenant)?.endpoints.iter().find(|e| e.id == *endpoint)
    }

    /// A tenant's feature.
    pub fn feature(&self, tenant: &TenantId, feature: &FeatureId) -> Option<&Feature> {
        self.tenant(tenant)?.features.iter().find(|f| f.id == *feature)
    }

    /// A tenant's job.
    pub fn job(&self, tenant: &TenantId, job: &JobId) -> Option<&Job> {
        self.tenant(tenant)?.jobs.iter().find(|j| j.id == *job)
    }

    /// The registration of that id, with what it hangs on.
    pub fn registration(&self, id: &RegistrationId) -> Option<Entry<'_>> {
        self.entries().find(|entry| entry.registration.id == *id)
    }

    /// Every registration.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.tenants.iter().flat_map(|tenant| {
            tenant.registrations.iter().filter_map(move |registration| {
                let endpoint = tenant.endpoints.iter().find(|e| e.id == registration.endpoint)?;
                let app = tenant.apps.iter().find(|a| a.id == registration.app)?;
                Some(Entry { tenant, endpoint, registration, app })
            })
        })
    }

    /// The registrations whose endpoint is that `iss`.
    pub fn by_issuer(&self, iss: &str) -> Vec<Entry<'_>> {
        self.entries().filter(|entry| entry.endpoint.is_issuer(iss)).collect()
    }
}

impl Entry<'_> {
    /// The features of the app entry, in its order.
    pub fn features(&self) -> impl Iterator<Item = &Feature> {
        self.app.features.iter().filter_map(|id| self.tenant.features.iter().find(|f| f.id == *id))
    }

    /// The features a launch asks for: those that read while a person is at the screen.
    pub fn launch_features(&self) -> impl Iterator<Item = &Feature> {
        self.features().filter(|f| f.kind == FeatureKind::InteractiveRead)
    }

    /// The feature of that id that jobs may use as this registration itself; `None` also for one of another kind.
    pub fn service_feature(&self, id: &FeatureId) -> Option<&Feature> {
        self.features().find(|f| f.id == *id && f.kind == FeatureKind::Service)
    }
}

/// The TOML error with its line; the value itself is not repeated, it may be a secret pasted by mistake.
fn describe(error: &toml::de::Error, text: &str) -> String {
    let line =
        error.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

#[cfg(test)]
pub(crate) mod tests;
