//! The files of an export, one after the other: lines into frames, frames onto disk, disk before database.

use std::sync::Arc;

use sallyport_model::Code;
use sallyport_proto::gateway::v1::fetch_bulk_file_response::Item;
use sallyport_rpc::code_of;

use super::{
    Export, Fault,
    frame_file::{FrameError, FrameFile, Place},
    framing::{Frame, Framer, Gap, Withheld, chained},
    manifest,
};
use crate::{
    batch::Batch,
    halt::{Halt, Wait},
    store::{self, FileRow},
};

/// So often a file may fail before the export goes on without it.
const FAILURES_MOST: i64 = 3;

/// The pause before a file that failed is asked for again, in microseconds.
const PAUSE: i64 = 2_000_000;

/// How one try at a file ended.
enum Ended {
    /// It is here.
    Whole,
    /// Its address has expired.
    Gone,
    /// It is not the file of which a part is here.
    Changed,
    /// It went wrong in a way that is this file's.
    Failed(Code),
}

/// Fetches what is not here yet, then says what the whole comes to.
pub(super) async fn all(batch: &mut Batch, export: &Export) -> Result<(), Fault> {
    while let Some(mut file) = batch.store().next_file(export.run).await.map_err(Halt::from)? {
        batch.go_on()?;
        match one(batch, export, &mut file).await? {
            Ended::Whole => {}
            Ended::Gone => {
                let is_there = manifest::again(batch, &export.cohort, &export.status).await?;
                file.failures += if is_there { 1 } else { FAILURES_MOST };
                give_up_or_wait(batch, export, file, Code::BulkFileGone).await?;
            }
            Ended::Changed => {
                begin_anew(&mut file);
                file.failures += 1;
                give_up_or_wait(batch, export, file, Code::BulkFileChanged).await?;
            }
            Ended::Failed(code) => {
                file.failures += 1;
                give_up_or_wait(batch, export, file, code).await?;
                return Err(Halt::Later { not_before: batch.now() + PAUSE, why: Wait::Retry }.into());
            }
        }
    }
    let files = batch.store().files(export.run).await.map_err(Halt::from)?;
    let hash = files.iter().fold([0; 32], |hash, file| chained(&hash, &file.hash));
    let is_whole = files.iter().all(|file| file.state == "done");
    // What is incomplete is never the base of "since then": what is missing would be missing for ever.
    let state = if is_whole { "done" } else { "incomplete" };
    let mut effects = batch.begin().await?;
    let now = batch.now();
    store::end_export(effects.tx(), export.run, (state, ""), Some(&hash), now).await.map_err(Halt::from)?;
    Ok(batch.save(effects, state.as_bytes()).await?)
}

fn begin_anew(file: &mut FileRow) {
    (file.source_offset, file.length, file.frames) = (0, 0, 0);
    (file.resources, file.withheld) = (0, 0);
    file.hash = vec![0; 32];
    file.etag.clear();
}

async fn give_up_or_wait(
    batch: &mut Batch,
    export: &Export,
    mut file: FileRow,
    code: Code,
) -> Result<(), Fault> {
    if file.failures >= FAILURES_MOST {
        "given_up".clone_into(&mut file.state);
    }
    let mut effects = batch.begin().await?;
    store::file_is(effects.tx(), export.run, &file, code.as_str()).await.map_err(Halt::from)?;
    Ok(batch.save(effects, b"fetching").await?)
}

/// One try at a file, from where the last one was committed.
async fn one(batch: &mut Batch, export: &Export, file: &mut FileRow) -> Result<Ended, Fault> {
    let Some(mut frames) = open(export, file).await? else { return Ok(Ended::Changed) };
    let (cohort, offset) = (&export.cohort, file.source_offset);
    let mut stream = match batch.gateway().fetch(cohort.whose(), &file.handle, offset, &file.etag).await {
        Ok(stream) => stream,
        Err(Fault::Item(code)) => return Ok(of_the_file(code)),
        Err(halt) => return Err(halt),
    };
    let mut framer = Framer::new(unsigned(offset), batch.parts.frame_bytes);
    let (mut etag, mut last) = (file.etag.clone(), None);
    loop {
        let message = match stream.message().await {
            Ok(message) => message.and_then(|message| message.item),
            Err(status) => match batch.gateway().fault(&status) {
                Fault::Item(_) => return Ok(of_the_file(code_of(&status))),
                halt @ Fault::Halt(_) => return Err(halt),
            },
        };
        let full = match message {
            Some(Item::Begin(begin)) => {
                etag = begin.etag;
                continue;
            }
            Some(Item::Wait(wait)) => {
                batch.gateway().wait(&wait).await?;
                return Ok(Ended::Failed(Code::UpstreamBusy));
            }
            Some(Item::ScopeChanged(changed)) => return Err(batch.gateway().changed(&changed)),
            Some(Item::End(end)) => {
                last = Some(end);
                break;
            }
            // The stream broke off: what was committed is gone on with.
            None => break,
            Some(told) => match taken(&mut framer, told) {
                Ok(full) => full,
                Err(Gap) => return Ok(Ended::Failed(Code::BulkInvalid)),
            },
        };
        for frame in full {
            frames = kept(batch, export, file, (frames, &frame, &etag)).await?;
            batch.go_on()?;
        }
    }
    let Some(end) = last else {
        return Err(Halt::Later { not_before: batch.now() + PAUSE, why: Wait::Retry }.into());
    };
    if let Some(frame) = framer.finish() {
        kept(batch, export, file, (frames, &frame, &etag)).await?;
    }
    let counted = file.resources + file.withheld;
    let (state, code) = match end.is_truncated {
        true => ("given_up", Code::BulkLineInvalid.as_str()),
        // Told and no more: what products count differs.
        false if file.expected > counted => ("done", Code::PartialShortRead.as_str()),
        false => ("done", ""),
    };
    state.clone_into(&mut file.state);
    let mut effects = batch.begin().await?;
    store::file_is(effects.tx(), export.run, file, code).await.map_err(Halt::from)?;
    batch.save(effects, b"fetching").await?;
    Ok(Ended::Whole)
}

fn of_the_file(code: Code) -> Ended {
    match code {
        Code::BulkFileGone => Ended::Gone,
        Code::BulkFileChanged => Ended::Changed,
        other => Ended::Failed(other),
    }
}

/// Our own file at what was committed; `None` where this machine has not what was committed on another one.
async fn open(export: &Export, file: &FileRow) -> Result<Option<FrameFile>, Fault> {
    let name = format!("{}-{}-{}", file.key.part, file.key.kind, file.key.position);
    let path = export.folder.join(format!("{name}.frames"));
    let place = Place { run: export.run.uuid(), name };
    let (committed, is_compressed) = ((unsigned(file.length), unsigned(file.frames)), export.is_compressed);
    let opened =
        tokio::task::spawn_blocking(move || FrameFile::resume(&path, place, committed, is_compressed));
    match opened.await {
        Ok(Ok(frames)) => Ok(Some(frames)),
        Ok(Err(FrameError::Short)) => Ok(None),
        Ok(Err(_)) | Err(_) => Err(disk()),
    }
}

/// The disk is ours, and may have room again.
fn disk() -> Fault {
    Halt::Failed(Code::DependencyDown).into()
}

/// Appends and syncs a frame, then commits it with the place where the source goes on.
async fn kept(
    batch: &mut Batch,
    export: &Export,
    file: &mut FileRow,
    (mut frames, frame, etag): (FrameFile, &Frame, &str),
) -> Result<FrameFile, Fault> {
    let (plain, hash) = (frame.plain.clone(), frame.hash());
    let key = Arc::clone(&export.key);
    let appended = tokio::task::spawn_blocking(move || {
        let length = frames.append(&key, &plain);
        length.map(|length| (frames, length))
    });
    let (frames, length) = appended.await.ok().and_then(Result::ok).ok_or_else(disk)?;
    file.length = signed(length);
    file.frames += 1;
    file.source_offset = signed(frame.source_offset);
    file.resources += signed(frame.resources);
    file.withheld += signed(frame.withheld.len() as u64);
    file.hash = chained(&file.hash, &hash).to_vec();
    etag.clone_into(&mut file.etag);
    let mut effects = batch.begin().await?;
    for Withheld { offset, length, code } in &frame.withheld {
        let place = (signed(*offset), signed(*length));
        store::line_withheld(effects.tx(), export.run, &file.key, place, code).await.map_err(Halt::from)?;
    }
    store::file_is(effects.tx(), export.run, file, "").await.map_err(Halt::from)?;
    batch.save(effects, b"fetching").await?;
    Ok(frames)
}

/// Takes one message into frames.
fn taken(framer: &mut Framer, item: Item) -> Result<Vec<Frame>, Gap> {
    match item {
        Item::Lines(lines) => framer.lines(unsigned(lines.offset), &lines.data),
        Item::Withheld(line) => {
            let (offset, length) = (unsigned(line.offset), unsigned(line.length));
            framer.withheld(Withheld { offset, length, code: line.code })?;
            Ok(Vec::new())
        }
        Item::Remark(remark) => {
            let content = serde_json::json!({"isError": remark.is_error, "issues": remark.issues});
            told(framer, (remark.offset, remark.length), &content)
        }
        Item::Deletions(deleted) => told(
            framer,
            (deleted.offset, deleted.length),
            &serde_json::json!({"deleted": deleted.references}),
        ),
        Item::Begin(_) | Item::End(_) | Item::Wait(_) | Item::ScopeChanged(_) => Ok(Vec::new()),
    }
}

fn told(
    framer: &mut Framer,
    (offset, length): (i64, i64),
    content: &serde_json::Value,
) -> Result<Vec<Frame>, Gap> {
    let line = format!("{content}\n");
    let full = framer.told(unsigned(offset), unsigned(length), line.as_bytes())?;
    Ok(full.into_iter().collect())
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
