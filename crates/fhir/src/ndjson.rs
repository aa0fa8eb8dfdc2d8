//! Newline-delimited JSON in chunks: lines come out whole, wherever the chunks were cut (BULK-11).
//!
//! A cut in the middle of a character, of a CRLF or of a line makes no difference, because only the byte `\n` is looked
//! for and it is part of no other character in UTF-8. What a line holds is the caller's to judge.

/// What was found in the bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line with its end; the last one of a file may have none.
    Text {
        /// Of its first byte in the file.
        offset: u64,
        /// The line, end included.
        bytes: &'a [u8],
    },
    /// A line longer than the cap; its bytes were let go.
    TooLong {
        /// Of its first byte in the file.
        offset: u64,
        /// Its length, end included.
        length: u64,
    },
}

impl Line<'_> {
    /// The line without its end and white space around it; `None` for one that was too long.
    pub fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Text { bytes, .. } => Some(bytes.trim_ascii()),
            Self::TooLong { .. } => None,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_blank(&self) -> bool {
        self.content().is_some_and(<[u8]>::is_empty)
    }

    /// Whether it ends with an end of line. One without is the last of its file, or was cut off.
    pub fn is_ended(&self) -> bool {
        match self {
            Self::Text { bytes, .. } => bytes.last() == Some(&b'\n'),
            Self::TooLong { .. } => true,
        }
    }
}

/// Splits chunks into lines. Keeps at most one line and one chunk in memory.
#[derive(Debug)]
pub struct Splitter {
    max_line: usize,
    /// Of the byte that comes next.
    at: u64,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// How much of a line that is too long was let go.
    dropped: u64,
}

impl Splitter {
    /// Starts at a place in a file, where a line begins. A line of more than `max_line` bytes is too long.
    pub fn new(at: u64, max_line: usize) -> Self {
        Self { max_line, at, begun: Vec::new(), dropped: 0 }
    }

    /// Of the first byte of the line that is being read.
    pub fn line_start(&self) -> u64 {
        self.at - self.dropped - self.begun.len() as u64
    }

    /// Takes a chunk and hands out the lines that it completes, in order.
    pub fn push(&mut self, mut chunk: &[u8], mut line: impl FnMut(Line<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (head, rest) = chunk.split_at(end + 1);
            chunk = rest;
            let offset = self.line_start();
            self.at += head.len() as u64;
            let length = self.at - offset;
            if length > self.max_line as u64 {
                line(Line::TooLong { offset, length });
            } else if self.begun.is_empty() {
                line(Line::Text { offset, bytes: head });
            } else {
                self.begun.extend_from_slice(head);
                line(Line::Text { offset, bytes: &self.begun });
            }
            self.begun.clear();
            self.dropped = 0;
        }
        self.at += chunk.len() as u64;
        if self.dropped > 0 || self.begun.len() + chunk.len() > self.max_line {
            self.dropped += (self.begun.len() + chunk.len()) as u64;
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(chunk);
        }
    }

    /// Ends the file: hands out what has no end of line, if there is anything. Gives the file's length.
    pub fn finish(self, mut line: impl FnMut(Line<'_>)) -> u64 {
        let offset = self.line_start();
        if self.dropped > 0 {
            line(Line::TooLong { offset, length: self.dropped });
        } else if !self.begun.is_empty() {
            line(Line::Text { offset, bytes: &self.begun });
        }
        self.at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each line as (offset, text or `None` when too long, length).
    type Found = Vec<(u64, Option<Vec<u8>>, u64)>;

    fn split(chunks: &[&[u8]], max_line: usize) -> (Found, u64) {
        let mut found = Vec::new();
        let mut keep = |line: Line<'_>| match line {
            Line::Text { offset, bytes } => found.push((offset, Some(bytes.to_vec()), bytes.len() as u64)),
            Line::TooLong { offset, length } => found.push((offset, None, length)),
        };
        let mut splitter = Splitter::new(0, max_line);
        for chunk in chunks {
            splitter.push(chunk, &mut keep);
        }
        let length = splitter.finish(&mut keep);
        (found, length)
    }

    fn texts(chunks: &[&[u8]]) -> Vec<String> {
        split(chunks, 100)
            .0
            .into_iter()
            .map(|(_, text, _)| String::from_utf8(text.unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn a_character_cut_by_a_chunk_comes_out_whole() {
        let text = "{\"a\":\"\u{e9}\u{1f600}\"}\n".as_bytes();
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(texts(&[head, tail]), [std::str::from_utf8(text).unwrap()], "cut at {cut}");
        }
    }

    #[test]
    fn blank_lines_and_both_ends_of_line_are_told_apart() {
        let (found, length) = split(&[b"{}\r", b"\n\n \r\n{}"], 100);
        assert_eq!(length, 10);
        let at: Vec<u64> = found.iter().map(|(offset, ..)| *offset).collect();
        assert_eq!(at, [0, 4, 5, 8]);
        let line = |bytes| Line::Text { offset: 0, bytes };
        assert_eq!(line(b"{}\r\n").content(), Some(&b"{}"[..]));
        assert!(line(b" \r\n").is_blank() && line(b"\n").is_blank() && !line(b"{}").is_blank());
        assert!(line(b"{}\n").is_ended() && !line(b"{}").is_ended());
    }

    #[test]
    fn a_line_that_is_too_long_is_let_go_alone() {
        let long = [b'x'; 30];
        let (found, length) = split(&[b"{}\n", &long, &long, b"\n{}\n", &long], 20);
        assert_eq!(
            found,
            [(0, Some(b"{}\n".to_vec()), 3), (3, None, 61), (64, Some(b"{}\n".to_vec()), 3), (67, None, 30)]
        );
        assert_eq!(length, 97);
    }

    #[test]
    fn a_line_of_exactly_the_cap_is_kept_however_it_is_cut() {
        for cut in 0..=20 {
            let line = [&[b'x'; 19][..], b"\n"].concat();
            let (head, tail) = line.split_at(cut);
            assert_eq!(split(&[head, tail], 20).0, [(0, Some(line.clone()), 20)], "cut at {cut}");
            assert_eq!(split(&[head, tail], 19).0, [(0, None, 20)], "cut at {cut}");
        }
    }

    proptest! {
        /// Lines, offsets and length are the same for every way of cutting the same bytes.
        #[test]
        fn chunks_make_no_difference(
            bytes in prop::collection::vec(prop::sample::select(&b"{}\n\r \xc3\xa9x"[..]), 0..200),
            cuts in prop::collection::vec(0_usize..200, 0..12),
            max_line in 1_usize..40,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(0);
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let whole = split(&[&bytes], max_line);
            prop_assert_eq!(&split(&chunks, max_line), &whole);
            prop_assert_eq!(whole.1, bytes.len() as u64);
            let total: u64 = whole.0.iter().map(|(.., length)| length).sum();
            prop_assert_eq!(total, bytes.len() as u64);
            let mut expected: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
            expected.retain(|line| line.len() <= max_line);
            let kept: Vec<Vec<u8>> = whole.0.into_iter().filter_map(|(_, text, _)| text).collect();
            prop_assert_eq!(kept, expected);
        }

        /// Going on from the start of any line gives the lines that follow.
        #[test]
        fn any_line_start_is_a_place_to_go_on_from(
            bytes in prop::collection::vec(prop::sample::select(&b"{}\nx"[..]), 1..100),
            which in any::<prop::sample::Index>(),
        ) {
            let (whole, length) = split(&[&bytes], 50);
            let (from, ..) = whole[which.index(whole.len())];
            let mut rest = Vec::new();
            let mut splitter = Splitter::new(from, 50);
            let mut keep = |line: Line<'_>| if let Line::Text { offset, bytes } = line {
                rest.push((offset, Some(bytes.to_vec()), bytes.len() as u64));
            };
            splitter.push(&bytes[usize::try_from(from).unwrap()..], &mut keep);
            prop_assert_eq!(splitter.finish(&mut keep), length);
            let expected: Found = whole.into_iter().filter(|(at, text, _)| *at >= from && text.is_some()).collect();
            rest.retain(|(_, text, _)| text.is_some());
            prop_assert_eq!(rest, expected);
        }
    }
}
