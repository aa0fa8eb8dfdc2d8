//! The readable text of a document, where it can be shown safely: plain text, and the words of HTML without its markup.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// What can be shown of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readable {
    /// Its words.
    Text(String),
    /// The words of an HTML document; its layout and pictures are left out.
    FromHtml(String),
    /// The content is another record: `Binary/id`.
    Elsewhere(String),
    /// A kind of file that is not shown here.
    OtherKind(String),
    /// The EHR sent no content.
    Nothing,
}

/// Longest text shown, in bytes: a page, not an archive.
const MAX_TEXT_BYTES: usize = 400_000;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Resource {
    resource_type: String,
    content: Vec<Content>,
    content_type: Option<String>,
    data: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Content {
    attachment: Attachment,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Attachment {
    content_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
}

/// What can be shown of a DocumentReference or Binary; `None` for any other resource.
pub(crate) fn readable(json: &[u8]) -> Option<Readable> {
    let kind: Kind = serde_json::from_slice(json).ok()?;
    match kind.resource_type.as_str() {
        "DocumentReference" => {
            let resource: Resource = serde_json::from_slice(json).ok()?;
            let all: Vec<Readable> = resource.content.iter().map(|c| of_attachment(&c.attachment)).collect();
            let rank = |r: &Readable| match r {
                Readable::Text(_) => 0,
                Readable::FromHtml(_) => 1,
                Readable::Elsewhere(_) => 2,
                Readable::OtherKind(_) => 3,
                Readable::Nothing => 4,
            };
            Some(all.into_iter().min_by_key(rank).unwrap_or(Readable::Nothing))
        }
        "Binary" => {
            let resource: Resource = serde_json::from_slice(json).ok()?;
            Some(of_data(resource.content_type.as_deref(), resource.data.as_deref()))
        }
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    resource_type: String,
}

fn of_attachment(attachment: &Attachment) -> Readable {
    let local = attachment.url.as_deref().and_then(|url| {
        let (_, id) = url.rsplit_once("Binary/")?;
        sallyport_model::ids::is_logical_id(id, 256).then(|| format!("Binary/{id}"))
    });
    match (&attachment.data, local) {
        (None, Some(reference)) if is_shown(attachment.content_type.as_deref()) => {
            Readable::Elsewhere(reference)
        }
        (data, _) => of_data(attachment.content_type.as_deref(), data.as_deref()),
    }
}

fn base_type(content_type: Option<&str>) -> String {
    let base = content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
    base.to_ascii_lowercase()
}

/// A type that may turn out to be readable; none at all may too.
fn is_shown(content_type: Option<&str>) -> bool {
    matches!(base_type(content_type).as_str(), "" | "text/plain" | "text/html" | "application/xhtml+xml")
}

fn of_data(content_type: Option<&str>, data: Option<&str>) -> Readable {
    let Some(data) = data else { return Readable::Nothing };
    let compact: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let kind = base_type(content_type);
    let Ok(bytes) = STANDARD.decode(compact) else { return Readable::OtherKind(kind) };
    let text = String::from_utf8_lossy(bytes.get(..MAX_TEXT_BYTES).unwrap_or(&bytes)).into_owned();
    match kind.as_str() {
        "text/plain" => Readable::Text(text),
        "text/html" | "application/xhtml+xml" => Readable::FromHtml(words_of_html(&text)),
        _ => Readable::OtherKind(kind),
    }
}

/// The text between the tags, with scripts and styles left out and blocks on lines of their own. The result is shown as
/// text, so a mistake here can spoil the layout but never run anything.
fn words_of_html(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    // Lower-cased once: ASCII keeps every offset.
    let lower = html.to_ascii_lowercase();
    let mut rest = html;
    while let Some((text, tail)) = rest.split_once('<') {
        out.push_str(&entities(text));
        let name: String = tail
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
            .collect::<String>()
            .to_ascii_lowercase();
        if let Some(silent) = ["script", "style", "title"].into_iter().find(|silent| *silent == name) {
            let lower_tail = lower.get(html.len() - tail.len()..).unwrap_or("");
            let end = lower_tail.find(&format!("</{silent}"));
            rest = end.and_then(|at| tail.get(at..)).unwrap_or("");
            rest = rest.split_once('>').map_or("", |(_, after)| after);
            continue;
        }
        if matches!(
            name.as_str(),
            "br" | "br/"
                | "p"
                | "/p"
                | "div"
                | "/div"
                | "li"
                | "tr"
                | "/tr"
                | "h1"
                | "h2"
                | "h3"
                | "h4"
                | "/h1"
                | "/h2"
                | "/h3"
                | "/h4"
                | "/ul"
                | "/table"
        ) {
            out.push('\n');
        } else if matches!(name.as_str(), "td" | "th") {
            out.push('\t');
        }
        rest = tail.split_once('>').map_or("", |(_, after)| after);
    }
    out.push_str(&entities(rest));
    let lines: Vec<&str> = out.lines().map(str::trim).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let doubled =
            line.is_empty() && index.checked_sub(1).and_then(|i| lines.get(i)).is_none_or(|l| l.is_empty());
        if !doubled {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.trim().to_owned()
}

fn entities(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(content_type: &str, content: &str) -> Vec<u8> {
        let data = STANDARD.encode(content);
        format!(r#"{{"resourceType":"Binary","contentType":"{content_type}","data":"{data}"}}"#).into_bytes()
    }

    #[test]
    fn html_gives_its_words_without_scripts_and_styles() {
        let html = "<html><style>p{}</style><p>Chest clear &amp; <b>dry</b></p><SCRIPT>alert(1)</SCRIPT><ul><li>A<li>B</ul>";
        let expected = Readable::FromHtml("Chest clear & dry\n\nA\nB".to_owned());
        assert_eq!(readable(&binary("text/html; charset=utf-8", html)), Some(expected));
    }

    #[test]
    fn only_text_is_shown() {
        assert_eq!(readable(&binary("text/plain", "a <b>")), Some(Readable::Text("a <b>".to_owned())));
        assert_eq!(
            readable(&binary("application/pdf", "x")),
            Some(Readable::OtherKind("application/pdf".to_owned()))
        );
        assert_eq!(readable(br#"{"resourceType":"Patient"}"#), None);
        assert_eq!(readable(b"junk"), None);
    }

    #[test]
    fn the_four_shapes_of_attachments_are_told_apart() {
        let reference = |attachment: &str| {
            let json = format!(
                r#"{{"resourceType":"DocumentReference","content":[{{"attachment":{attachment}}}]}}"#
            );
            readable(json.as_bytes()).unwrap()
        };
        assert_eq!(
            reference(r#"{"contentType":"text/html","url":"Binary/b-1"}"#),
            Readable::Elsewhere("Binary/b-1".to_owned())
        );
        assert_eq!(reference(r#"{"contentType":"application/octet-stream"}"#), Readable::Nothing);
        assert_eq!(
            reference(r#"{"contentType":"text/plain","data":"aGk="}"#),
            Readable::Text("hi".to_owned())
        );
        assert_eq!(
            reference(r#"{"contentType":"application/pdf","url":"https://x.example/document/1"}"#),
            Readable::Nothing
        );
    }

    #[test]
    fn an_unclosed_tag_never_loops_or_panics() {
        for html in ["<", "<script>", "<script", "a<b", "<<<<>", "&lt", "<p", "é<scrípt>é</script>"] {
            let _words = words_of_html(html);
        }
    }
}
