//! Who uses the console, and what a role may do there.
//!
//! Roles are names that people know; rights are what methods and pages ask for. One table says which has which.

use crate::{Micros, ids::TenantId};

/// What a method of the console asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// See how the house does: figures, jobs, tenants, incidents.
    See,
    /// Look into the audit log, patients masked.
    ReadAudit,
    /// See a record's patients in clear, for a reason that is recorded.
    Unmask,
    /// Say that records were reviewed and what was found.
    Review,
    /// Start, pause, resume, stop and retry jobs.
    Operate,
    /// Revoke: sessions, grants, incidents; stop jobs for one.
    Respond,
}

impl Right {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::See, Self::ReadAudit, Self::Unmask, Self::Review, Self::Operate, Self::Respond];

    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::ReadAudit => "read audit",
            Self::Unmask => "unmask",
            Self::Review => "review",
            Self::Operate => "operate",
            Self::Respond => "respond",
        }
    }
}

/// What somebody is at the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Runs jobs.
    Operator,
    /// Reads the log and changes nothing.
    Auditor,
    /// Answers incidents.
    Security,
}

impl Role {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Auditor, Self::Security];

    /// Reads a name as links, configuration and tokens write it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// The name in configuration, rows and the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Security => "security",
        }
    }

    /// What it may do. An auditor changes nothing, an operator sees no patient.
    pub fn rights(self) -> &'static [Right] {
        match self {
            Self::Viewer => &[Right::See],
            Self::Operator => &[Right::See, Right::ReadAudit, Right::Operate],
            Self::Auditor => &[Right::See, Right::ReadAudit, Right::Unmask, Right::Review],
            Self::Security => {
                &[Right::See, Right::ReadAudit, Right::Unmask, Right::Review, Right::Operate, Right::Respond]
            }
        }
    }

    /// Whether it may do that.
    pub fn may(self, right: Right) -> bool {
        self.rights().contains(&right)
    }
}

/// For which tenants somebody is at the console. Empty is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    /// Every one, and what belongs to none.
    All,
    /// These alone.
    Some(Vec<TenantId>),
}

impl Tenants {
    /// Whether that tenant is among them.
    pub fn contain(&self, tenant: &TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Some(tenants) => tenants.contains(tenant),
        }
    }
}

/// Somebody who is signed in at the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The session's id; it opens nothing.
    pub session: uuid::Uuid,
    /// Who, as records and pages say it.
    pub name: String,
    /// As what.
    pub role: Role,
    /// For whom.
    pub tenants: Tenants,
    /// When the session ends if nothing happens.
    pub idle_expires_at: Micros,
    /// When it ends in any case.
    pub absolute_expires_at: Micros,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auditor_changes_nothing_and_an_operator_sees_no_patient() {
        assert!(!Role::Auditor.may(Right::Operate) && !Role::Auditor.may(Right::Respond));
        assert!(!Role::Operator.may(Right::Unmask) && !Role::Viewer.may(Right::ReadAudit));
        assert!(Right::ALL.iter().all(|right| Role::Security.may(*right)));
    }

    #[test]
    fn no_tenants_are_not_all_tenants() {
        let tenant = TenantId::parse("general").unwrap();
        assert!(!Tenants::Some(Vec::new()).contain(&tenant));
        assert!(Tenants::Some(vec![tenant.clone()]).contain(&tenant) && Tenants::All.contain(&tenant));
    }

    #[test]
    fn a_role_reads_as_it_is_written() {
        assert!(Role::ALL.iter().all(|role| Role::parse(role.as_str()) == Some(*role)));
        assert_eq!(Role::parse("admin"), None);
    }
}
