//! The offline export: lines of JSON. First a header, then the checkpoints that the log holds itself, then the records
//! in their order (each line exactly the bytes that are hashed), last a line that says how many there were.

use std::io::{BufRead, Read as _, Write};

use serde::{Deserialize, Serialize};

/// The longest line that is read: a record of the largest size, in base64.
pub const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// The version of the form.
const VERSION: u32 = 1;

/// What the record lines start with, and no other.
const RECORD: &[u8] = b"{\"v\":";

/// Whose log it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the form, 1.
    pub sallyport_audit_export: u32,
    /// The log's origin, as its checkpoints name it.
    pub origin: String,
    /// The tenant.
    pub tenant: String,
}

impl Header {
    /// A header of this version.
    pub fn new(origin: &str, tenant: &str) -> Self {
        Self { sallyport_audit_export: VERSION, origin: origin.to_owned(), tenant: tenant.to_owned() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutsideLine {
    outside_the_log: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Other {
    Checkpoint(CheckpointLine),
    Outside(OutsideLine),
    End(EndLine),
}

/// A line after the header.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A record: the bytes to hash.
    Record(&'a [u8]),
    /// A checkpoint that the log holds, as a note.
    Checkpoint(String),
    /// How many records of the database are not in the log.
    Outside(u64),
    /// The end, with the number of records.
    End(u64),
}

/// Why an export does not read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file.
    #[error("the export cannot be read or written")]
    Io(#[from] std::io::Error),
    /// A line is longer than any that is meant well.
    #[error("line {0} is longer than 8 MiB")]
    TooLong(u64),
    /// It does not begin as an export of this version.
    #[error("it does not begin as an export of version 1")]
    Header,
    /// A line is none of those that an export has.
    #[error("line {0} is none of those that an export has")]
    Line(u64),
    /// It ends without its last line.
    #[error("it ends before its last line")]
    NoEnd,
}

/// Reads an export line by line; memory stays that of one line.
pub struct Reader<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Reader<R> {
    /// Begins with the header.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn open(input: R) -> Result<(Header, Self), ExportError> {
        let mut reader = Self { input, line: Vec::new(), number: 0 };
        if !reader.advance()? {
            return Err(ExportError::Header);
        }
        let header: Header = serde_json::from_slice(&reader.line).map_err(|_shape| ExportError::Header)?;
        if header.sallyport_audit_export == VERSION { Ok((header, reader)) } else { Err(ExportError::Header) }
    }

    /// The next line. There is always one before the end line.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn next_line(&mut self) -> Result<Line<'_>, ExportError> {
        if !self.advance()? {
            return Err(ExportError::NoEnd);
        }
        if self.line.starts_with(RECORD) {
            return Ok(Line::Record(&self.line));
        }
        match serde_json::from_slice(&self.line) {
            Ok(Other::Checkpoint(line)) => Ok(Line::Checkpoint(line.checkpoint)),
            Ok(Other::Outside(line)) => Ok(Line::Outside(line.outside_the_log)),
            Ok(Other::End(line)) => Ok(Line::End(line.end)),
            Err(_shape) => Err(ExportError::Line(self.number)),
        }
    }

    fn advance(&mut self) -> Result<bool, ExportError> {
        self.line.clear();
        self.number += 1;
        let mut limited = self.input.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        if limited.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(false);
        }
        match self.line.pop() {
            Some(b'\n') => Ok(true),
            _ if self.line.len() >= MAX_LINE_BYTES => Err(ExportError::TooLong(self.number)),
            // A last line without its line feed was cut off.
            _ => Err(ExportError::NoEnd),
        }
    }
}

/// Writes an export.
pub struct Writer<W> {
    output: W,
    records: u64,
}

impl<W: Write> Writer<W> {
    /// Begins with the header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(output: W, header: &Header) -> Result<Self, ExportError> {
        let mut writer = Self { output, records: 0 };
        writer.json(header)?;
        Ok(writer)
    }

    /// A checkpoint that the log holds.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn checkpoint(&mut self, note: &str) -> Result<(), ExportError> {
        self.json(&CheckpointLine { checkpoint: note.to_owned() })
    }

    /// How many records of the database are not in the log.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn outside(&mut self, count: u64) -> Result<(), ExportError> {
        self.json(&OutsideLine { outside_the_log: count })
    }

    /// The next record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&mut self, leaf: &[u8]) -> Result<(), ExportError> {
        self.records += 1;
        self.output.write_all(leaf)?;
        Ok(self.output.write_all(b"\n")?)
    }

    /// Ends it; what was written, and how many records.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(mut self) -> Result<(W, u64), ExportError> {
        let end = self.records;
        self.json(&EndLine { end })?;
        self.output.flush()?;
        Ok((self.output, end))
    }

    fn json(&mut self, line: &impl Serialize) -> Result<(), ExportError> {
        serde_json::to_writer(&mut self.output, line).map_err(std::io::Error::from)?;
        Ok(self.output.write_all(b"\n")?)
    }
}
