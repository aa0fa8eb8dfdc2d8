//! Yes, no and cannot tell, and how they combine (Kleene's logic): what is not known never becomes an answer, unless the
//! answer is the same either way.

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// No.
    No,
    /// It cannot be told.
    Unknown,
    /// Yes.
    Yes,
}

impl Truth {
    /// Yes when any is.
    pub fn any(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or(Self::No)
    }

    /// Yes when all are.
    pub fn all(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().min().unwrap_or(Self::Yes)
    }

    /// The same for all, else unknown; `None` for none.
    pub fn agreed(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(|a, b| if a == b { a } else { Self::Unknown })
    }
}

impl From<bool> for Truth {
    fn from(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, No, Unknown, Yes};

    #[test]
    fn what_is_not_known_decides_nothing() {
        assert_eq!(Truth::any([No, Unknown]), Unknown);
        assert_eq!(Truth::any([Unknown, Yes]), Yes);
        assert_eq!(Truth::all([No, Unknown]), No);
        assert_eq!(Truth::all([Unknown, Yes]), Unknown);
        assert_eq!((Truth::any([]), Truth::all([])), (No, Yes));
        assert_eq!(Truth::agreed([Yes, Yes]), Some(Yes));
        assert_eq!(Truth::agreed([Yes, No]), Some(Unknown));
        assert_eq!(Truth::agreed([]), None);
    }
}
