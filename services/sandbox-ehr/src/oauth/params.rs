//! Request parameters as OAuth wants them read: a parameter may appear once (RFC 6749 §3.1), an empty one
//! counts as absent, and a form is a form only with its content type.

use axum::body::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Names and values in the order sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

/// A parameter was sent more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeated;

impl Params {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The form in a body; `None` if the content type is another.
    pub(crate) fn from_form(headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = content_type.split(';').next()?.trim();
        media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded").then(|| Self::parse(body))
    }

    /// The value of a parameter that may appear once.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut found = self.all(name);
        match (found.next(), found.next()) {
            (first, None) => Ok(first.filter(|value| !value.is_empty())),
            (_, Some(_)) => Err(Repeated),
        }
    }

    /// The first value, for the EHR's own forms.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|value| !value.is_empty())
    }

    /// Every value of a parameter.
    pub(crate) fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_an_error_and_an_empty_one_absent() {
        let params = Params::parse(b"a=1&b=&c=1&c=1&d=x%20y+z");
        assert_eq!(params.one("a"), Ok(Some("1")));
        assert_eq!(params.one("b"), Ok(None));
        assert_eq!(params.one("c"), Err(Repeated));
        assert_eq!(params.one("d"), Ok(Some("x y z")));
        assert_eq!(params.one("e"), Ok(None));
    }

    #[test]
    fn a_body_of_another_type_is_not_a_form() {
        let mut headers = HeaderMap::new();
        let body = Bytes::from_static(b"a=1");
        assert!(Params::from_form(&headers, &body).is_none());
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        assert!(Params::from_form(&headers, &body).is_none());
        headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8".parse().unwrap());
        assert!(Params::from_form(&headers, &body).is_some());
    }
}
