//! A browser as far as this service sees one: a cookie jar, the headers that browsers add, HTTP/1.1 over a real socket.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) jar: BTreeMap<String, String>,
    pub(crate) is_framed: bool,
    /// A browser that takes no cookie of ours.
    pub(crate) blocks_cookies: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn cookies_set(&self) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == "set-cookie").map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn location(&self) -> Url {
        let text = self.header("location").unwrap_or_else(|| panic!("a redirect, not {self:?}"));
        Url::parse("http://own.example").unwrap().join(text).unwrap()
    }

    /// The stable code on a refusal page.
    #[track_caller]
    pub(crate) fn code(&self) -> &str {
        let start =
            self.body.find("<dt>Code</dt><dd><code>").unwrap_or_else(|| panic!("a refusal, not {self:?}"));
        let rest = &self.body[start + "<dt>Code</dt><dd><code>".len()..];
        &rest[..rest.find('<').unwrap()]
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("json, not {self:?}"))
    }
}

/// A value of a URL's query.
pub(crate) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

impl Browser {
    /// The same browser, led to another replica by whatever stands in front.
    pub(crate) fn led_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, jar: BTreeMap::new(), is_framed: false, blocks_cookies: false }
    }

    /// Another tab: the same jar.
    pub(crate) fn twin(&self) -> Self {
        Self { jar: self.jar.clone(), ..Self::new(self.address) }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Answer {
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], form).await
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        if self.is_framed {
            request.push_str("sec-fetch-dest: iframe\r\n");
        }
        if !self.jar.is_empty() {
            let pairs: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.push_str(&format!("cookie: {}\r\n", pairs.join("; ")));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let answer = parse(&String::from_utf8(bytes).unwrap());
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.cookies_set().into_iter().filter(|_| !self.blocks_cookies) {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            for needed in ["Secure", "HttpOnly", "Path=/", "SameSite=None", "Partitioned"] {
                assert!(attributes.contains(needed), "{cookie} lacks {needed}");
            }
            assert!(!attributes.contains("Domain"), "{cookie}");
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("an answer, not {text:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let is_chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked");
    assert!(!is_chunked, "these answers have a length");
    Answer { status, headers, body: body.to_owned() }
}
