//! Where a file is cut into frames: by its bytes alone, so that every run over the same file cuts it in the same places,
//! however the network cut it and however often it was begun anew. That is what makes frames, hashes and checkpoints the
//! same after a kill as without one.

use aws_lc_rs::digest::{Context, SHA256, digest};
use bytes::Bytes;

/// SHA-256.
pub(crate) type Hash = [u8; 32];

/// A stretch of a file's released lines, ready to be sealed. Holds patient data: no `Debug`.
pub(crate) struct Frame {
    /// Whole lines.
    pub(crate) plain: Vec<u8>,
    /// Where the source is gone on with once this frame is kept.
    pub(crate) source_offset: u64,
    /// Resources in it.
    pub(crate) resources: u64,
    /// What the gateway said stayed there, since the last frame.
    pub(crate) withheld: Vec<Withheld>,
}

/// A line that did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Withheld {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) code: String,
}

impl Frame {
    /// The hash of its plain bytes.
    pub(crate) fn hash(&self) -> Hash {
        let mut hash = Hash::default();
        hash.copy_from_slice(digest(&SHA256, &self.plain).as_ref());
        hash
    }
}

/// A content hash with the next part taken in: a file's over its frames, an export's over its files. All are over plain bytes,
/// so two exports of the same content have the same one, whatever they are compressed and sealed with.
pub(crate) fn chained(hash: &[u8], next: &[u8]) -> Hash {
    let mut all = Context::new(&SHA256);
    all.update(hash);
    all.update(next);
    let mut chained = Hash::default();
    chained.copy_from_slice(all.finish().as_ref());
    chained
}

/// Gathers lines into frames.
pub(crate) struct Framer {
    most: usize,
    plain: Vec<u8>,
    /// Resources in the frame. The gateway counts them by message; a line of a message is one unless it is blank.
    resources: u64,
    withheld: Vec<Withheld>,
    /// Of the source, behind everything taken so far.
    at: u64,
}

/// What comes from the gateway does not go on where the last message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap;

impl Framer {
    /// Goes on at a place of the source where a frame was cut. A frame holds at most `most` bytes of the plain file: what a worker
    /// that is killed reads again.
    pub(crate) fn new(at: u64, most: usize) -> Self {
        Self { most, plain: Vec::new(), resources: 0, withheld: Vec::new(), at }
    }

    /// Takes whole lines, and gives the frames that are full. A line that does not fit begins the next frame; one that is
    /// larger than a frame is a frame of its own.
    pub(crate) fn lines(&mut self, offset: u64, data: &Bytes) -> Result<Vec<Frame>, Gap> {
        self.follows(offset)?;
        let mut full = Vec::new();
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            if !self.plain.is_empty() && self.plain.len() + line.len() > self.most {
                full.extend(self.cut());
            }
            self.plain.extend_from_slice(line);
            self.resources += u64::from(!line.trim_ascii().is_empty());
            self.at += line.len() as u64;
        }
        Ok(full)
    }

    /// Takes what is told of a line that did not come.
    pub(crate) fn withheld(&mut self, line: Withheld) -> Result<(), Gap> {
        self.skip(line.offset, line.length)?;
        self.withheld.push(line);
        Ok(())
    }

    /// Takes a line of the source that came as something else: `content`, a line of its own.
    pub(crate) fn told(&mut self, offset: u64, length: u64, content: &[u8]) -> Result<Option<Frame>, Gap> {
        self.follows(offset)?;
        let is_full = !self.plain.is_empty() && self.plain.len() + content.len() > self.most;
        let full = if is_full { self.cut() } else { None };
        self.plain.extend_from_slice(content);
        self.resources += 1;
        self.at += length;
        Ok(full)
    }

    fn skip(&mut self, offset: u64, length: u64) -> Result<(), Gap> {
        self.follows(offset)?;
        self.at += length;
        Ok(())
    }

    /// The last frame, at the end of the file: also an empty one where something was only withheld.
    pub(crate) fn finish(mut self) -> Option<Frame> {
        let is_empty = self.plain.is_empty() && self.withheld.is_empty();
        if is_empty { None } else { self.cut() }
    }

    fn follows(&self, offset: u64) -> Result<(), Gap> {
        if offset == self.at { Ok(()) } else { Err(Gap) }
    }

    fn cut(&mut self) -> Option<Frame> {
        Some(Frame {
            plain: std::mem::take(&mut self.plain),
            source_offset: self.at,
            resources: std::mem::take(&mut self.resources),
            withheld: std::mem::take(&mut self.withheld),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain frames of these messages, cut at `most`.
    fn frames(messages: &[Vec<u8>], most: usize) -> Vec<(Vec<u8>, u64, u64)> {
        let mut framer = Framer::new(0, most);
        let mut out = Vec::new();
        for message in messages {
            let at = framer.at;
            out.extend(framer.lines(at, &Bytes::from(message.clone())).unwrap());
        }
        out.extend(framer.finish());
        out.into_iter().map(|f| (f.plain, f.source_offset, f.resources)).collect()
    }

    #[test]
    fn a_frame_is_cut_before_the_line_that_would_not_fit() {
        let found = frames(&[b"{1}\n{2}\n{33333}\n\n{4}\n".to_vec()], 8);
        let expected: [(&[u8], u64, u64); 3] =
            [(b"{1}\n{2}\n", 8, 2), (b"{33333}\n", 16, 1), (b"\n{4}\n", 21, 1)];
        assert_eq!(found, expected.map(|(plain, at, n)| (plain.to_vec(), at, n)));
        let found = frames(&[b"{a line that is longer than a frame}\n{2}\n".to_vec()], 8);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn what_was_withheld_stands_with_the_frame_in_which_it_would_have_been() {
        let line = |offset| Withheld { offset, length: 5, code: "bulk.line_invalid".to_owned() };
        let mut framer = Framer::new(100, 8);
        assert!(framer.lines(100, &Bytes::from_static(b"{1}\n")).unwrap().is_empty());
        framer.withheld(line(104)).unwrap();
        let full = framer.lines(109, &Bytes::from_static(b"{2}\n{3}\n")).unwrap();
        assert_eq!((full[0].withheld.as_slice(), full[0].source_offset), (&[line(104)][..], 113));
        framer.withheld(line(117)).unwrap();
        let last = framer.finish().unwrap();
        assert_eq!((last.withheld.len(), last.source_offset, last.resources), (1, 122, 1));
        let mut framer = Framer::new(0, 8);
        framer.withheld(line(0)).unwrap();
        assert!(framer.finish().is_some_and(|last| last.plain.is_empty() && last.source_offset == 5));
    }

    #[test]
    fn a_gap_in_the_source_is_noticed() {
        let mut framer = Framer::new(0, 8);
        assert!(framer.lines(1, &Bytes::from_static(b"{}\n")).is_err());
        assert_eq!(framer.skip(2, 1), Err(Gap));
        assert!(framer.lines(0, &Bytes::from_static(b"{}\n")).is_ok());
        assert!(framer.lines(0, &Bytes::from_static(b"{}\n")).is_err(), "the same bytes twice");
    }

    proptest! {
        /// However the lines come in messages, and wherever the work is begun anew at a frame's end, the frames are the same.
        #[test]
        fn frames_depend_on_the_bytes_alone(
            lines in prop::collection::vec("[a-z]{0,12}", 1..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            restart in any::<prop::sample::Index>(),
            most in 1_usize..40,
        ) {
            let lines: Vec<Vec<u8>> = lines.into_iter().map(|line| (line + "\n").into_bytes()).collect();
            let whole = frames(&[lines.concat()], most);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(lines.len())).collect();
            cuts.extend([0, lines.len()]);
            cuts.sort_unstable();
            let messages: Vec<Vec<u8>> = cuts.windows(2).map(|pair| lines[pair[0]..pair[1]].concat()).collect();
            prop_assert_eq!(&frames(&messages, most), &whole);
            // Killed after some frame was kept: what follows is the same.
            let kept = restart.index(whole.len());
            let from = if kept == 0 { 0 } else { whole[kept - 1].1 };
            let rest = Bytes::from(lines.concat()).slice(usize::try_from(from).unwrap()..);
            let mut framer = Framer::new(from, most);
            let mut again: Vec<Frame> = framer.lines(from, &rest).unwrap();
            again.extend(framer.finish());
            let again: Vec<_> = again.into_iter().map(|f| (f.plain, f.source_offset, f.resources)).collect();
            prop_assert_eq!(&again[..], &whole[kept..]);
            let total: usize = whole.iter().map(|(plain, ..)| plain.len()).sum();
            prop_assert_eq!(total, lines.concat().len());
        }
    }
}
