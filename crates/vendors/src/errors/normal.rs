//! Every error answer, whatever its shape, made into one thing: our code, the vendor's code, and how to find the request again.

use sallyport_fhir::{
    ResourceType,
    outcome::{self, Shape},
};
use sallyport_model::{Code, Secret};

use super::{Cause, Errors, Mark, STANDARD_SIGNS, Sign, words_of};

/// Longest value of a correlation header that is kept.
const MAX_CORRELATION: usize = 128;

/// An answer that is no success.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its body, as far as it was read.
    pub body: &'a [u8],
    /// The type that was searched, if it was a search.
    pub searched: Option<ResourceType>,
    /// Its headers, asked for by name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
}

/// An error, reduced to what may be told and recorded.
#[derive(Debug)]
pub struct Normal {
    /// What went wrong.
    pub cause: Cause,
    /// Our code for it.
    pub code: Code,
    /// The body's shape.
    pub shape: Shape,
    /// Issue types of an OperationOutcome.
    pub issues: Vec<String>,
    /// The product's own code.
    pub vendor_code: Option<String>,
    /// Where the product explains it, without query.
    pub error_uri: Option<String>,
    /// The EHR's own id of the request.
    pub correlation_id: Option<String>,
    /// What the body says in words, in lower case: for [`crate::limits::Limits::told`] and nothing else.
    pub words: Secret<String>,
}

impl Cause {
    /// Our stable code.
    pub fn code(self) -> Code {
        match self {
            Self::Token => Code::UpstreamUnauthorized,
            Self::Scope | Self::Permission | Self::Tenant => Code::UpstreamForbidden,
            Self::ParameterMissing => Code::ParameterMissing,
            Self::ParameterInvalid => Code::UpstreamParameter,
            Self::NotOffered => Code::UpstreamNotOffered,
            Self::NotFound => Code::UpstreamNotFound,
            Self::Gone | Self::Merged => Code::UpstreamGone,
            Self::PageExpired => Code::UpstreamPageExpired,
            Self::TooBroad => Code::UpstreamTooLarge,
            Self::Stale | Self::Unprocessable => Code::UpstreamConflict,
            Self::Throttled => Code::UpstreamBusy,
            Self::Timeout => Code::UpstreamTimeout,
            Self::Redirect => Code::UpstreamRedirect,
            Self::Failing | Self::Other => Code::UpstreamError,
        }
    }

    /// Whether the person's rights are in question. Nothing else ends a session or asks for another sign-in.
    pub fn is_about_rights(self) -> bool {
        matches!(self, Self::Token | Self::Scope | Self::Permission | Self::Tenant)
    }
}

impl Errors {
    /// Makes one thing of an error answer.
    pub fn normal(&self, answer: Answer<'_>) -> Normal {
        let problem = outcome::read(answer.status, answer.body);
        let said = words_of::read(answer.body);
        let bearer = (answer.header)("www-authenticate").unwrap_or_default().to_ascii_lowercase();
        let shows = |sign: &Sign| {
            sign.status.is_none_or(|status| status == answer.status)
                && match sign.mark {
                    Mark::Code(code) => {
                        said.codings.iter().any(|(_, c)| c == code)
                            || said.plain_code.as_deref() == Some(code)
                    }
                    Mark::Words(words) => said.words.contains(words),
                    Mark::Bearer(error) => bearer.contains(&format!("error=\"{error}\"")),
                    Mark::Issue(issue) => said.issues.iter().any(|i| i == issue),
                    Mark::Search => answer.searched.is_some(),
                    Mark::SearchOn(resource_type) => answer.searched == Some(resource_type),
                    Mark::Status => true,
                }
        };
        let own: &[crate::Fact<Sign>] = match sallyport_model::planted!("vendor-signs-ignored") {
            true => &[],
            false => &self.signs,
        };
        let sign = own.iter().map(crate::Fact::value).chain(STANDARD_SIGNS).find(|sign| shows(sign));
        let cause = sign.map_or_else(|| by_status(answer.status), |sign| sign.cause);
        let correlation_id = self.correlation_id(answer.header);
        Normal {
            cause,
            code: cause.code(),
            shape: problem.shape,
            vendor_code: self.own_code(&said),
            issues: said.issues,
            error_uri: said.error_uri,
            correlation_id,
            words: Secret::new(said.words),
        }
    }

    /// The EHR's own id of a request, when it is a plain word that can stand in a record. Good answers have one too.
    pub fn correlation_id<'a>(&self, header: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        let is_plain = |value: &&str| {
            (1..=MAX_CORRELATION).contains(&value.len())
                && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'='))
        };
        self.correlation_headers.iter().filter_map(|name| header(name)).find(is_plain).map(str::to_owned)
    }

    /// The product's own code: of its own system where that is known, else the first there is.
    fn own_code(&self, said: &words_of::Said) -> Option<String> {
        let of_system = |system: &str| said.codings.iter().find(|(s, _)| s.as_deref() == Some(system));
        let coding = match self.code_system.value() {
            Some(system) => of_system(system),
            None => said.codings.first(),
        };
        coding.map(|(_, code)| code.clone()).or_else(|| said.plain_code.clone())
    }
}

fn by_status(status: u16) -> Cause {
    match status {
        300..=399 => Cause::Redirect,
        500..=599 => Cause::Failing,
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests;
