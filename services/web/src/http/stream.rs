//! A chart page as it is sent: the frame at once, then who the patient is, then the sections in the order they arrive.
//!
//! Nothing clinical is sent before the patient's identity, and nothing at all when that cannot be read. Each section lands
//! in its reserved place (a slot of the declarative shadow root), so arriving late moves nothing.

use std::{collections::VecDeque, convert::Infallible};

use axum::body::{Body, Bytes};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use maud::Markup;
use sallyport_clinical::{ChartSection, Content, Section};
use sallyport_model::{Code, code::Kind};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

use super::session::reference;
use crate::{
    App,
    domain::{care_gaps::Gaps, page::Page, view::View},
    gateway::Session,
    pages::{
        care_gaps, layout,
        sections::{Shown, section},
        status,
    },
};

/// Pages are a few hundred KiB at most; a slow reader holds back the sender, not our memory.
const CHUNKS_AHEAD: usize = 4;

type Chunks = mpsc::Sender<Result<Bytes, Infallible>>;

/// The reader went away.
struct Gone;

/// One thing that was asked for beside the banner.
enum Part {
    Section(Section, Shown),
    CareGaps(Gaps),
}

/// Starts reading and sending a page.
pub(super) fn chart(app: &App, session: Session, view: View, page: Page) -> Body {
    let (chunks, body) = mpsc::channel(CHUNKS_AHEAD);
    let sender = Sender { app: app.clone(), session, view, page, chunks };
    tokio::spawn(async move { sender.send_page().await }.instrument(tracing::Span::current()));
    Body::from_stream(ReceiverStream::new(body))
}

struct Sender {
    app: App,
    session: Session,
    view: View,
    page: Page,
    chunks: Chunks,
}

impl Sender {
    /// Sends the page; ends early, dropping the calls under way, when the reader is gone.
    async fn send_page(self) {
        let gone = self.chunks.clone();
        tokio::select! {
            () = gone.closed() => {}
            _result = self.send_parts() => {}
        }
    }

    async fn send_parts(&self) -> Result<(), Gone> {
        let started = Instant::now();
        self.send(layout::head(&self.view, self.page)).await?;
        let wait =
            if self.page == Page::Summary { self.app.summary_deadline } else { self.app.page_deadline };
        let patience = started + self.app.page_deadline;
        let banner =
            tokio::time::timeout_at(patience, self.app.gateway.chart(&self.session, Section::Banner));
        let mut banner = std::pin::pin!(banner.map(|answer| answer.unwrap_or(Err(Code::UpstreamTimeout))));

        let mut wanted: Vec<Section> = self.page.sections().to_vec();
        if !wanted.contains(&Section::Allergies) {
            wanted.push(Section::Allergies);
        }
        let reads: FuturesUnordered<BoxFuture<'_, Part>> = FuturesUnordered::new();
        for section in wanted {
            let read = self.app.gateway.chart(&self.session, section);
            let read = tokio::time::timeout_at(started + wait, read);
            reads.push(Box::pin(
                read.map(move |answer| Part::Section(section, answer.map_or(Shown::Late, Shown::of))),
            ));
        }
        if self.view.has_care_gaps(self.page) {
            let read = tokio::time::timeout_at(started + wait, self.app.gateway.care_gaps(&self.session));
            reads.push(Box::pin(read.map(|answer| {
                Part::CareGaps(answer.map_or(Gaps::Late, |read| read.map_or_else(Gaps::Refused, Gaps::Read)))
            })));
        }
        let mut reads = reads;

        // The sections are read beside the banner but wait for it.
        let mut early = VecDeque::new();
        let banner = loop {
            tokio::select! {
                biased;
                banner = &mut banner => break banner,
                Some(read) = reads.next() => early.push_back(read),
            }
        };
        let identified = matches!(&banner, Ok(ChartSection { content: Content::Banner(_), .. }));
        self.send(layout::banner(&self.view, &banner)).await?;
        if !identified {
            let reference = reference(self.session.request_id);
            self.send(layout::nothing_without_identity(&self.view, self.page, &banner, &reference)).await?;
            return self.send(layout::tail(&self.view, &[])).await;
        }

        let mut shown: Vec<(Section, Shown)> = Vec::new();
        let mut care_gaps = None;
        loop {
            let next = match early.pop_front() {
                Some(read) => Some(read),
                None => reads.next().await,
            };
            let is_over = match next {
                None => break,
                Some(Part::CareGaps(gaps)) => {
                    self.send(care_gaps::section(&self.view, self.page, &gaps)).await?;
                    care_gaps.insert(gaps).is_session_over()
                }
                Some(Part::Section(which, what)) => {
                    if which == Section::Allergies {
                        self.send(layout::banner_allergies(&self.view, &what)).await?;
                    }
                    if self.page.sections().contains(&which) {
                        self.send(section(&self.view, self.page, which, &what)).await?;
                    }
                    shown.push((which, what));
                    session_over(&shown)
                }
            };
            if is_over {
                break;
            }
        }
        self.send(status::row(&self.view, self.page, &shown, care_gaps.as_ref())).await?;
        let parts: Vec<&ChartSection> = shown.iter().filter_map(|(_, what)| what.section()).collect();
        self.send(layout::tail(&self.view, &parts)).await
    }

    async fn send(&self, markup: Markup) -> Result<(), Gone> {
        self.chunks.send(Ok(Bytes::from(markup.into_string()))).await.map_err(|_closed| Gone)
    }
}

/// The session ended while the page was being read: the rest would only repeat that.
fn session_over(shown: &[(Section, Shown)]) -> bool {
    matches!(shown.last(), Some((_, Shown::Refused(code))) if code.kind() == Kind::Unauthenticated)
}
