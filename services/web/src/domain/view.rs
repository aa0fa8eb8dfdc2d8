//! What a page knows of its launch, and which tabs it therefore offers.

use sallyport_proto::gateway::v1::ViewResponse;

use super::{
    entry::{ContextItem, context_items},
    page::Page,
    times::Times,
};
use crate::gateway::Session;

/// The action of the form that opens a record.
pub(crate) const SOURCE_ACTION: &str = "source";

/// The action of the forms that decide on a proposal.
pub(crate) const PROPOSALS_ACTION: &str = "proposals";

/// One entry of the navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tab {
    /// A page that can be opened.
    Open(Page),
    /// Something that is off, with the reason.
    Off { title: String, reason: String },
}

/// Everything a page is drawn with besides the clinical data.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) tenant: String,
    pub(crate) is_production: bool,
    pub(crate) endpoint: String,
    pub(crate) app: String,
    pub(crate) user: String,
    pub(crate) shows_full_banner: bool,
    pub(crate) has_patient: bool,
    pub(crate) intent: String,
    pub(crate) context: Vec<ContextItem>,
    pub(crate) idle_expires_at: i64,
    pub(crate) absolute_expires_at: i64,
    /// `None` when the sign-in renews itself.
    pub(crate) token_expires_at: Option<i64>,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) frame_ancestors: Vec<String>,
    /// Where a standalone launch starts again; `None` where only the EHR can start one.
    pub(crate) sign_in_path: Option<String>,
    pub(crate) base: String,
    pub(crate) source_token: String,
    pub(crate) proposals_token: String,
    pub(crate) step_up_token: String,
    pub(crate) stay_token: String,
    pub(crate) sign_out_token: String,
    /// The registration that was launched, by its id.
    pub(crate) registration: String,
    /// Where launch-auth answers about this session.
    pub(crate) session_path: String,
    /// The EHR does not say when records were changed.
    pub(crate) edits_undated: bool,
    pub(crate) times: Times,
}

impl View {
    pub(crate) fn new(session: &Session, answer: ViewResponse, now: i64) -> Self {
        let tabs = tabs(&answer);
        let token = |action: &str| sallyport_smart::form::token(&session.secret, session.launch, action);
        let registration = answer.relaunch_path.strip_prefix("/launch/").unwrap_or_default().to_owned();
        let sign_in_path =
            Some(answer.relaunch_path).filter(|p| answer.standalone_allowed && p.starts_with("/launch/"));
        Self {
            tabs,
            is_production: answer.environment == "production",
            tenant: answer.tenant_name,
            endpoint: answer.endpoint_name,
            app: answer.app_name,
            user: answer.user_display,
            shows_full_banner: answer.need_patient_banner,
            has_patient: answer.has_patient,
            context: context_items(&answer.fhir_context_json),
            intent: answer.intent,
            idle_expires_at: answer.idle_expires_at,
            absolute_expires_at: answer.absolute_expires_at,
            token_expires_at: Some(answer.token_expires_at).filter(|at| *at > 0),
            frame_ancestors: answer.frame_ancestors,
            sign_in_path,
            base: format!("/chart/{}", session.launch),
            source_token: token(SOURCE_ACTION),
            proposals_token: token(PROPOSALS_ACTION),
            step_up_token: token("step-up"),
            stay_token: token("keep-alive"),
            sign_out_token: token("logout"),
            registration,
            session_path: format!("/session/{}", session.launch),
            edits_undated: answer.edits_undated,
            times: Times::new(&answer.time_zone, now),
        }
    }

    /// The address of a page of this launch.
    pub(crate) fn href(&self, page: Page) -> String {
        format!("{}/{}", self.base, page.path())
    }

    /// Whether the page may be opened.
    pub(crate) fn offers(&self, page: Page) -> bool {
        self.tabs.contains(&Tab::Open(page))
    }

    /// Whether a page has a place for the care gaps.
    pub(crate) fn has_care_gaps(&self, page: Page) -> bool {
        matches!(page, Page::Summary | Page::CareGaps) && self.offers(Page::CareGaps)
    }
}

/// A page is open when a feature that is on carries one of its sections; otherwise it is off with the reason of the
/// feature that would carry it. Features without sections that are off are named after the pages.
fn tabs(answer: &ViewResponse) -> Vec<Tab> {
    let carries = |sections: &[String], page: Page| {
        page.opened_by().any(|name| sections.iter().any(|section| section == name))
    };
    let mut tabs = Vec::new();
    for page in Page::ALL {
        let carriers = || answer.features.iter().filter(|f| carries(&f.sections, *page));
        if carriers().any(|f| f.on) {
            tabs.push(Tab::Open(*page));
        } else if let Some(off) = carriers().next() {
            tabs.push(Tab::Off { title: page.title().to_owned(), reason: off.reason.clone() });
        }
    }
    let off = answer.features.iter().filter(|f| !f.on);
    let unseen = off.filter(|f| !Page::ALL.iter().any(|page| carries(&f.sections, *page)));
    tabs.extend(unseen.map(|f| Tab::Off { title: f.title.clone(), reason: f.reason.clone() }));
    tabs
}

#[cfg(test)]
mod tests {
    use sallyport_proto::gateway::v1::view_response::Feature;

    use super::*;

    fn feature(title: &str, on: bool, sections: &[&str]) -> Feature {
        Feature {
            id: title.to_lowercase(),
            title: title.to_owned(),
            on,
            reason: if on { String::new() } else { "the EHR did not grant it".to_owned() },
            sections: sections.iter().map(|s| (*s).to_owned()).collect(),
        }
    }

    #[test]
    fn a_page_is_open_only_under_a_feature_that_is_on() {
        let answer = ViewResponse {
            features: vec![
                feature("Summary", true, &["banner", "problems"]),
                feature("Medication review", false, &["medications"]),
                feature("Notes", false, &[]),
            ],
            ..ViewResponse::default()
        };
        let off =
            |title: &str| Tab::Off { title: title.to_owned(), reason: "the EHR did not grant it".to_owned() };
        let expected =
            vec![Tab::Open(Page::Summary), Tab::Open(Page::Problems), off("Medications"), off("Notes")];
        assert_eq!(tabs(&answer), expected);
        assert_eq!(tabs(&ViewResponse::default()), vec![]);
    }
}
