//! What a page decides before it is drawn: which page, which tabs, which times, who may submit its forms.

pub(crate) mod care_gaps;
pub(crate) mod document;
pub(crate) mod entry;
pub(crate) mod json_text;
pub(crate) mod page;
pub(crate) mod proposals;
pub(crate) mod times;
pub(crate) mod view;
