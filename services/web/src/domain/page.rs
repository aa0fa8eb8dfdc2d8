//! The pages of the chart and the sections each shows.

use sallyport_clinical::Section;

/// What carries the care gaps, among the sections that features name; they are no section of the EHR's chart.
pub(crate) const CARE_GAPS: &str = "care-gaps";

/// One page of the chart: one tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Summary,
    Problems,
    Medications,
    Results,
    Vitals,
    Visits,
    Documents,
    CareGaps,
    Proposals,
    More,
}

impl Page {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Summary,
        Self::Problems,
        Self::Medications,
        Self::Results,
        Self::Vitals,
        Self::Visits,
        Self::Documents,
        Self::CareGaps,
        Self::Proposals,
        Self::More,
    ];

    /// The last part of its address.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Problems => "problems",
            Self::Medications => "medications",
            Self::Results => "results",
            Self::Vitals => "vitals",
            Self::Visits => "visits",
            Self::Documents => "documents",
            Self::CareGaps => "care-gaps",
            Self::Proposals => "proposals",
            Self::More => "more",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Problems => "Problems",
            Self::Medications => "Medications",
            Self::Results => "Results",
            Self::Vitals => "Vitals",
            Self::Visits => "Visits",
            Self::Documents => "Documents",
            Self::CareGaps => "Care gaps",
            Self::Proposals => "Proposals",
            Self::More => "More",
        }
    }

    /// The sections it shows, in order. The banner and, for it, the allergies stand on every page.
    pub(crate) fn sections(self) -> &'static [Section] {
        match self {
            Self::Summary => &[
                Section::Problems,
                Section::Medications,
                Section::Allergies,
                Section::Vitals,
                Section::Results,
                Section::Encounters,
                Section::Documents,
            ],
            Self::Problems => &[Section::Problems, Section::Allergies],
            Self::Medications => &[Section::Medications],
            Self::Results => &[Section::Results],
            Self::Vitals => &[Section::Vitals],
            Self::Visits => &[Section::Encounters],
            Self::Documents => &[Section::Documents],
            Self::CareGaps | Self::Proposals => &[],
            Self::More => {
                &[Section::Immunizations, Section::Procedures, Section::Careteam, Section::Coverage]
            }
        }
    }

    /// What of a feature's sections opens it.
    pub(crate) fn opened_by(self) -> impl Iterator<Item = &'static str> {
        let own = matches!(self, Self::CareGaps | Self::Proposals).then_some(CARE_GAPS);
        self.sections().iter().map(|section| section.as_str()).chain(own)
    }

    pub(crate) fn parse(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|page| page.path() == path)
    }

    /// The page on which a section is shown whole.
    pub(crate) fn of(section: Section) -> Self {
        let whole = Self::ALL.iter().copied().filter(|page| *page != Self::Summary);
        whole.into_iter().find(|page| page.sections().contains(&section)).unwrap_or(Self::Summary)
    }
}

/// The heading of a section.
pub(crate) fn heading(section: Section) -> &'static str {
    match section {
        Section::Banner => "Patient",
        Section::Problems => "Problems",
        Section::Medications => "Medications",
        Section::Allergies => "Allergies",
        Section::Vitals => "Vital signs",
        Section::Results => "Laboratory results",
        Section::Encounters => "Visits",
        Section::Documents => "Documents",
        Section::Immunizations => "Immunizations",
        Section::Procedures => "Procedures",
        Section::Careteam => "Care team",
        Section::Coverage => "Coverage",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_but_the_banner_has_a_page_of_its_own() {
        for section in Section::ALL.iter().filter(|s| **s != Section::Banner) {
            assert_ne!(Page::of(*section), Page::Summary, "{section}");
        }
    }

    #[test]
    fn every_page_reads_back_from_its_address() {
        for page in Page::ALL {
            assert_eq!(Page::parse(page.path()), Some(*page));
        }
        assert_eq!(Page::parse("source"), None);
    }
}
