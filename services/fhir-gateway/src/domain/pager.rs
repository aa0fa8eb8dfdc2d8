//! Following a search from page to page: no circle, no standing still, no row twice, and a word when rows are missing.
//!
//! What is known of the earlier pages travels in the sealed page link, so that any replica can go on. Rows are remembered
//! by fingerprints, and only the last [`MOST_ROWS`] of them: a link must stay short enough for a request line.

use std::collections::HashMap;

use aws_lc_rs::digest;
use sallyport_fhir::Envelope;
use sallyport_model::Code;

use super::paging::line;

/// Rows that a link remembers. One that comes again later than that is not noticed.
const MOST_ROWS: usize = 256;

/// Empty pages in a row that may lead on: servers that filter after paging have some.
const MOST_EMPTY: u32 = 3;

/// A row, as a link remembers it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Row {
    id: u64,
    version: u32,
}

/// A row while a page is read.
struct Known {
    version: u32,
    /// Its place, if it is on this page.
    on_page: Option<usize>,
}

/// What is known of a search before one of its pages is read.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Trail {
    /// The page's number, from 1.
    pub(crate) number: u32,
    /// The search asks for a count alone: no row is missing.
    pub(crate) counts_only: bool,
    /// Why the search as a whole is not everything.
    pub(crate) partial: Vec<Code>,
    /// How many rows the EHR counts, where that is believed.
    total: Option<u64>,
    /// Distinct rows so far, those that were withheld among them.
    rows: u64,
    /// Empty pages in a row.
    empty: u32,
    /// Pages that were read.
    pages: Vec<u64>,
    seen: Vec<Row>,
}

/// A page that was read.
pub(crate) struct Met<'a> {
    /// Rows of the type that was searched for, in order.
    pub(crate) rows: &'a [&'a Envelope<'a>],
    /// The EHR's count of all rows, where it is believed.
    pub(crate) total: Option<u64>,
    /// The address that was read.
    pub(crate) here: &'a str,
    /// The address of the next page.
    pub(crate) next: Option<&'a str>,
    /// The last page that is followed.
    pub(crate) most: u32,
}

/// What follows from a page.
pub(crate) struct Followed {
    /// For each row whether it is new.
    pub(crate) is_new: Vec<bool>,
    /// The way on, if there is one that leads anywhere.
    pub(crate) next: Option<Trail>,
    /// Why the answer is not everything: of this page and of the search so far.
    pub(crate) partial: Vec<Code>,
}

impl Trail {
    /// Before the first page.
    pub(crate) fn start(is_narrowed: bool, counts_only: bool) -> Self {
        let partial = if is_narrowed { vec![Code::PartialNarrowed] } else { Vec::new() };
        Self { number: 1, counts_only, partial, ..Self::default() }
    }

    /// Before a later page, with nothing known.
    #[cfg(test)]
    pub(crate) fn at(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// Takes a page into account.
    pub(crate) fn follow(&self, met: &Met<'_>) -> Followed {
        let mut next = Self { number: self.number.saturating_add(1), ..self.clone() };
        next.pages.push(fingerprint(met.here.as_bytes()));
        next.total = met.total.max(self.total);
        let is_new = next.take(met.rows);
        let has_rows = !met.rows.is_empty();
        next.empty = if has_rows { 0 } else { self.empty.saturating_add(1) };
        // A row without an id cannot be told from others and counts as new.
        let stands_still = if has_rows { !is_new.contains(&true) } else { next.empty >= MOST_EMPTY };
        let end = match met.next {
            None if !self.counts_only && next.total.is_some_and(|total| total > next.rows) => {
                Some(Code::PartialShortRead)
            }
            None => None,
            Some(link) if next.has_read(link) => Some(Code::PartialLoop),
            Some(_) if stands_still => Some(Code::PartialStall),
            Some(_) if next.number > met.most => Some(Code::PartialPageLimit),
            Some(_) => None,
        };
        let mut partial = self.partial.clone();
        partial.extend(end);
        let leads_on = met.next.is_some() && end.is_none();
        Followed { is_new, next: leads_on.then_some(next), partial }
    }

    fn has_read(&self, link: &str) -> bool {
        self.pages.contains(&fingerprint(link.as_bytes())) && !sallyport_model::planted!("page-loop-followed")
    }

    /// Counts rows and remembers them; answers which are new. Of several versions on one page the newest is.
    fn take(&mut self, rows: &[&Envelope<'_>]) -> Vec<bool> {
        let mut is_new = vec![true; rows.len()];
        let earlier = self.seen.iter().map(|row| (row.id, Known { version: row.version, on_page: None }));
        let mut known: HashMap<u64, Known> = earlier.collect();
        for (n, row) in rows.iter().enumerate() {
            let Some(Row { id, version }) =
                key_of(row).filter(|_| !sallyport_model::planted!("rows-counted-twice"))
            else {
                self.rows = self.rows.saturating_add(1);
                continue;
            };
            let this = Known { version, on_page: Some(n) };
            match known.get_mut(&id) {
                None => {
                    self.rows = self.rows.saturating_add(1);
                    self.seen.push(Row { id, version });
                    known.insert(id, this);
                }
                Some(before) if before.version == version => mark(&mut is_new, n),
                Some(before) => match before.on_page.and_then(|m| Some((m, rows.get(m)?))) {
                    Some((_, other)) if is_newer(other, row) => mark(&mut is_new, n),
                    Some((m, _)) => {
                        mark(&mut is_new, m);
                        *before = this;
                    }
                    None => *before = this,
                },
            }
        }
        for row in &mut self.seen {
            row.version = known.get(&row.id).map_or(row.version, |now| now.version);
        }
        let beyond = self.seen.len().saturating_sub(MOST_ROWS);
        self.seen.drain(..beyond);
        is_new
    }

    /// Writes it before the rest of a link.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let total = self.total.map_or_else(|| "-".to_owned(), |total| total.to_string());
        let partial: Vec<&str> = self.partial.iter().map(|code| code.as_str()).collect();
        let head = format!(
            "{} {} {total} {} {} {} {} {}\n",
            self.number,
            u8::from(self.counts_only),
            self.rows,
            self.empty,
            self.pages.len(),
            self.seen.len(),
            partial.join(",")
        );
        out.extend_from_slice(head.as_bytes());
        for page in &self.pages {
            out.extend_from_slice(&page.to_be_bytes());
        }
        for row in &self.seen {
            out.extend_from_slice(&row.id.to_be_bytes());
            out.extend_from_slice(&row.version.to_be_bytes());
        }
    }

    /// Reads what [`Trail::write`] wrote, and gives what follows it.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, mut rest) = line(bytes)?;
        let fields: Vec<&str> = head.split(' ').collect();
        let [number, counts_only, total, rows, empty, pages, seen, partial] = fields.as_slice() else {
            return None;
        };
        let total = if *total == "-" { None } else { Some(total.parse().ok()?) };
        let codes = partial.split(',').filter(|code| !code.is_empty()).map(Code::parse);
        let mut trail = Self {
            number: number.parse().ok()?,
            counts_only: *counts_only == "1",
            partial: codes.collect::<Option<_>>()?,
            total,
            rows: rows.parse().ok()?,
            empty: empty.parse().ok()?,
            pages: Vec::new(),
            seen: Vec::new(),
        };
        for _ in 0..pages.parse::<u32>().ok()? {
            let (page, after) = rest.split_first_chunk()?;
            trail.pages.push(u64::from_be_bytes(*page));
            rest = after;
        }
        for _ in 0..seen.parse::<u32>().ok()? {
            let (id, after) = rest.split_first_chunk()?;
            let (version, after) = after.split_first_chunk()?;
            trail.seen.push(Row { id: u64::from_be_bytes(*id), version: u32::from_be_bytes(*version) });
            rest = after;
        }
        Some((trail, rest))
    }
}

fn mark(is_new: &mut [bool], n: usize) {
    if let Some(is_new) = is_new.get_mut(n) {
        *is_new = false;
    }
}

/// Without a version the whole text stands for it: some products have neither versions nor times of change.
fn key_of(row: &Envelope<'_>) -> Option<Row> {
    let id = row.id.as_deref()?;
    let version = row.version_id.as_deref().or(row.last_updated.as_deref()).unwrap_or(row.text);
    // The upper half is as good as any.
    let version = u32::try_from(fingerprint(version.as_bytes()) >> 32).ok()?;
    Some(Row { id: fingerprint(id.as_bytes()), version })
}

/// Whether `one` is a later version than `other` for certain.
pub(super) fn is_newer(one: &Envelope<'_>, other: &Envelope<'_>) -> bool {
    let number = |row: &Envelope<'_>| row.version_id.as_deref()?.parse::<u64>().ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one > other,
        // Of one server, in one time zone, the texts of instants sort as their times do.
        _ => one.last_updated > other.last_updated,
    }
}

/// The first eight bytes of a SHA-256: that two of a search's rows share them happens once in 10^13 searches.
fn fingerprint(bytes: &[u8]) -> u64 {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests;
