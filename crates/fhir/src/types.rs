//! Every resource type of FHIR R4 (4.0.1), as an enum: a type is parsed once and never compared as text again. And one of
//! DSTU2 that R4 knows by another name, MedicationOrder: endpoints of that version are asked by it.

macro_rules! resource_types {
    ($($name:ident,)*) => {
        /// A resource type of FHIR R4, or DSTU2's MedicationOrder. Being listed here permits nothing: see [`crate::params`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceType { $(#[doc = stringify!($name)] $name,)* }

        impl ResourceType {
            /// Every type, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The type's name as FHIR spells it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The type of that exact name; case matters (FHIR R4 §3.1.0.1.2).
            pub fn parse(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }
        }
    };
}

resource_types! {
    Account, ActivityDefinition, AdverseEvent, AllergyIntolerance, Appointment, AppointmentResponse,
    AuditEvent, Basic, Binary, BiologicallyDerivedProduct, BodyStructure, Bundle, CapabilityStatement,
    CarePlan, CareTeam, CatalogEntry, ChargeItem, ChargeItemDefinition, Claim, ClaimResponse,
    ClinicalImpression, CodeSystem, Communication, CommunicationRequest, CompartmentDefinition, Composition,
    ConceptMap, Condition, Consent, Contract, Coverage, CoverageEligibilityRequest,
    CoverageEligibilityResponse, DetectedIssue, Device, DeviceDefinition, DeviceMetric, DeviceRequest,
    DeviceUseStatement, DiagnosticReport, DocumentManifest, DocumentReference, EffectEvidenceSynthesis,
    Encounter, Endpoint, EnrollmentRequest, EnrollmentResponse, EpisodeOfCare, EventDefinition, Evidence,
    EvidenceVariable, ExampleScenario, ExplanationOfBenefit, FamilyMemberHistory, Flag, Goal,
    GraphDefinition, Group, GuidanceResponse, HealthcareService, ImagingStudy, Immunization,
    ImmunizationEvaluation, ImmunizationRecommendation, ImplementationGuide, InsurancePlan, Invoice,
    Library, Linkage, List, Location, Measure, MeasureReport, Media, Medication, MedicationAdministration,
    MedicationDispense, MedicationKnowledge, MedicationOrder, MedicationRequest, MedicationStatement, MedicinalProduct,
    MedicinalProductAuthorization, MedicinalProductContraindication, MedicinalProductIndication,
    MedicinalProductIngredient, MedicinalProductInteraction, MedicinalProductManufactured,
    MedicinalProductPackaged, MedicinalProductPharmaceutical, MedicinalProductUndesirableEffect,
    MessageDefinition, MessageHeader, MolecularSequence, NamingSystem, NutritionOrder, Observation,
    ObservationDefinition, OperationDefinition, OperationOutcome, Organization, OrganizationAffiliation,
    Parameters, Patient, PaymentNotice, PaymentReconciliation, Person, PlanDefinition, Practitioner,
    PractitionerRole, Procedure, Provenance, Questionnaire, QuestionnaireResponse, RelatedPerson,
    RequestGroup, ResearchDefinition, ResearchElementDefinition, ResearchStudy, ResearchSubject,
    RiskAssessment, RiskEvidenceSynthesis, Schedule, SearchParameter, ServiceRequest, Slot, Specimen,
    SpecimenDefinition, StructureDefinition, StructureMap, Subscription, Substance, SubstanceNucleicAcid,
    SubstancePolymer, SubstanceProtein, SubstanceReferenceInformation, SubstanceSourceMaterial,
    SubstanceSpecification, SupplyDelivery, SupplyRequest, Task, TerminologyCapabilities, TestReport,
    TestScript, ValueSet, VerificationResult, VisionPrescription,
}

impl std::fmt::Display for ResourceType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceType;

    #[test]
    fn every_type_parses_to_itself_and_case_matters() {
        for t in ResourceType::ALL {
            assert_eq!(ResourceType::parse(t.as_str()), Some(*t));
        }
        assert_eq!(ResourceType::ALL.len(), 146 + 1, "R4's, and MedicationOrder");
        assert_eq!(ResourceType::parse("patient"), None);
    }
}
