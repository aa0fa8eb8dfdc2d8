//! Documents: notes, letters, reports, and the shapes in which EHRs attach their content.

use serde::{Deserialize, Serialize};

use crate::{
    concept::{Concept, Wanted},
    date::{Date, When},
    parse::{
        Reading, Source, absent_in,
        datatypes::{
            Attachment as AttachmentShape, CodeableConcept, Element, Period, Reference, resource, shape,
        },
        primitives::{List, Str, owned, text},
        references::local_reference,
    },
    record::{Record, Standing},
    value::{Absent, Value},
};

/// Where the content of a document is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "shape", rename_all = "snake_case")]
pub enum Place {
    /// In the resource itself, base64.
    Inline {
        /// Decoded size in bytes.
        bytes: usize,
    },
    /// A Binary of this server.
    Binary {
        /// `Binary/id`.
        reference: String,
    },
    /// Some other address, which is not followed.
    Elsewhere,
    /// Neither content nor address was sent.
    Missing {
        /// Why, if that was said.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<Absent>,
    },
}

/// One rendition of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attachment {
    /// Where its content is.
    pub place: Place,
    /// MIME type as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_type: Option<String>,
    /// Title.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Size in bytes as sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub creation: Option<Date>,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Document {
    /// The resource.
    pub record: Record,
    /// What kind.
    pub what: Value<Concept>,
    /// Whether it is the current version.
    pub is_current: bool,
    /// Status of the reference as sent (current, superseded).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<Value<String>>,
    /// Status of the document itself (preliminary, final, amended).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub document_status: Option<Value<String>>,
    /// Clinical note, and so on.
    pub categories: Vec<Value<Concept>>,
    /// When it was filed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub date: Option<Value<When>>,
    /// What care it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub care_period: Option<Value<When>>,
    /// Who wrote it.
    pub authors: Vec<Value<String>>,
    /// A description in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<Value<String>>,
    /// Its renditions.
    pub attachments: Vec<Attachment>,
}

resource! {
    Resource {
        status: Option<Str<'a>>,
        #[serde(rename = "_status")]
        status_element: Option<Element<'a>>,
        doc_status: Option<Str<'a>>,
        #[serde(rename = "type")]
        kind: Option<CodeableConcept<'a>>,
        category: List<CodeableConcept<'a>>,
        date: Option<Str<'a>>,
        #[serde(rename = "_date")]
        date_element: Option<Element<'a>>,
        author: List<Reference<'a>>,
        description: Option<Str<'a>>,
        content: List<ContentShape<'a>>,
        context: Option<ContextShape<'a>>,
    }
}

shape! { ContentShape { attachment: Option<AttachmentShape<'a>> } }
shape! { ContextShape { period: Option<Period<'a>> } }

pub(crate) fn read(reading: &Reading<'_>) -> Vec<Document> {
    let base = reading.context.fhir_base;
    let mut items: Vec<Document> =
        reading.each("DocumentReference", |source, record, r| document(source, record, r, base));
    items.sort_by_cached_key(|item| {
        let when = item.date.as_ref().or(item.care_period.as_ref());
        let newest = when.and_then(|w| w.value.as_ref()?.instant());
        (!item.record.is_valid(), !item.is_current, std::cmp::Reverse(newest))
    });
    items
}

fn document(source: &Source, record: Record, r: &Resource<'_>, base: &str) -> Document {
    let in_error =
        text(&r.status) == Some("entered-in-error") || text(&r.doc_status) == Some("entered-in-error");
    let attachments =
        r.content.iter().filter_map(|c| c.attachment.as_ref()).map(|a| attachment(a, base)).collect();
    Document {
        record: record.with(if in_error { Standing::EnteredInError } else { Standing::Valid }),
        what: source.required_concept("DocumentReference.type", &r.kind, Wanted::Measurement),
        is_current: text(&r.status) != Some("superseded"),
        status: source.string("DocumentReference.status", &r.status, &r.status_element),
        document_status: source.string("DocumentReference.docStatus", &r.doc_status, &None),
        categories: source.concepts("DocumentReference.category", &r.category, Wanted::Any),
        date: source.moment("DocumentReference.date", &r.date, &r.date_element),
        care_period: r
            .context
            .as_ref()
            .and_then(|c| source.period("DocumentReference.context.period", &c.period)),
        authors: r
            .author
            .iter()
            .filter_map(|a| Some(Value::known(owned(&a.display)?, source.core("DocumentReference.author"))))
            .collect(),
        description: source.string("DocumentReference.description", &r.description, &None),
        attachments,
    }
}

fn attachment(a: &AttachmentShape<'_>, base: &str) -> Attachment {
    let place = match (text(&a.data), text(&a.url)) {
        (Some(data), _) => {
            let padding = data.bytes().rev().take_while(|b| *b == b'=').count();
            let digits = data.bytes().filter(|b| !b.is_ascii_whitespace()).count();
            Place::Inline { bytes: (digits / 4 * 3).saturating_sub(padding) }
        }
        (None, Some(url)) => match local_reference(url, base) {
            Some(("Binary", id)) => Place::Binary { reference: format!("Binary/{id}") },
            _ => Place::Elsewhere,
        },
        (None, None) => Place::Missing { reason: absent_in(&a.extension) },
    };
    Attachment {
        place,
        content_type: owned(&a.content_type),
        title: owned(&a.title),
        size: a.size.map(|s| s.as_str().to_owned()),
        creation: owned(&a.creation).map(Date::new),
    }
}
