//! Data keys in a service's database: made on the first use, found by their id, wrapped anew while everything goes on.
//!
//! A service that seals what it keeps has a table `data_keys` with its tenants' keys, each wrapped by the key-encryption key
//! (`sallyport_keyring`). [`DataKeys`] is the way to them. [`Keeper`] offers their state and their rewrapping to operators,
//! also for a service that keeps its keys in another form.

mod keeper;
mod keys;
mod table;

use sallyport_db::Error as DbError;
use sallyport_keyring::KeyError;
use sallyport_model::Code;

pub use keeper::{Keeper, WrappedKeys};
pub use keys::DataKeys;
pub use table::{KeyTable, WrappedKey};

/// Why a data key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error("the table of data keys cannot be read or written")]
    Database(#[from] DbError),
    /// The keeper of the key-encryption key, or a key that is not of its making.
    #[error("a data key cannot be used")]
    Key(#[from] KeyError),
    /// A row that no release of ours has written; names the column.
    #[error("the table of data keys does not read, see {0}")]
    Damaged(&'static str),
}

impl Error {
    /// The stable code that leaves.
    pub fn code(&self) -> Code {
        match self {
            Self::Database(error) => error.code(),
            Self::Key(error) if error.is_about_the_value() => Code::Internal,
            Self::Key(_away) => Code::DependencyDown,
            Self::Damaged(_) => Code::Internal,
        }
    }
}
