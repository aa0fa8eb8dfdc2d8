//! The chronic diseases the charts are built from: their codes and the drugs usually given for them.

use super::{
    code::Code,
    drug::{self, Drug},
};

/// A chronic disease that shapes a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disease {
    Diabetes,
    Prediabetes,
    Retinopathy,
    Neuropathy,
    Kidney,
    Hypertension,
    Hyperlipidaemia,
    Coronary,
    Fibrillation,
    HeartFailure,
    Obesity,
    Asthma,
    Copd,
    Rhinitis,
    Hypothyroidism,
    Reflux,
    Arthritis,
    Osteoporosis,
    Gout,
    IronDeficiency,
    Prostate,
    Migraine,
    Depression,
    Anxiety,
    Alzheimer,
    OpioidDependence,
    Eczema,
}

impl Disease {
    pub(super) fn snomed(self) -> Code {
        match self {
            Self::Diabetes => ("44054006", "Diabetes mellitus type 2"),
            Self::Prediabetes => ("714628002", "Prediabetes"),
            Self::Retinopathy => ("4855003", "Retinopathy due to diabetes mellitus"),
            Self::Neuropathy => ("230572002", "Neuropathy due to diabetes mellitus"),
            Self::Kidney => ("433144002", "Chronic kidney disease stage 3"),
            Self::Hypertension => ("59621000", "Essential hypertension"),
            Self::Hyperlipidaemia => ("55822004", "Hyperlipidemia"),
            Self::Coronary => ("53741008", "Coronary arteriosclerosis"),
            Self::Fibrillation => ("49436004", "Atrial fibrillation"),
            Self::HeartFailure => ("84114007", "Heart failure"),
            Self::Obesity => ("414916001", "Obesity"),
            Self::Asthma => ("195967001", "Asthma"),
            Self::Copd => ("13645005", "Chronic obstructive pulmonary disease"),
            Self::Rhinitis => ("61582004", "Allergic rhinitis"),
            Self::Hypothyroidism => ("40930008", "Hypothyroidism"),
            Self::Reflux => ("235595009", "Gastroesophageal reflux disease"),
            Self::Arthritis => ("396275006", "Osteoarthritis"),
            Self::Osteoporosis => ("64859006", "Osteoporosis"),
            Self::Gout => ("90560007", "Gout"),
            Self::IronDeficiency => ("87522002", "Iron deficiency anemia"),
            Self::Prostate => ("266569009", "Benign prostatic hyperplasia"),
            Self::Migraine => ("37796009", "Migraine"),
            Self::Depression => ("370143000", "Major depressive disorder"),
            Self::Anxiety => ("21897009", "Generalized anxiety disorder"),
            Self::Alzheimer => ("26929004", "Alzheimer's disease"),
            Self::OpioidDependence => ("75544000", "Opioid dependence"),
            Self::Eczema => ("24079001", "Atopic dermatitis"),
        }
    }

    pub(super) fn icd10(self) -> Code {
        match self {
            Self::Diabetes => ("E11.9", "Type 2 diabetes mellitus without complications"),
            Self::Prediabetes => ("R73.03", "Prediabetes"),
            Self::Retinopathy => (
                "E11.319",
                "Type 2 diabetes mellitus with unspecified diabetic retinopathy without macular edema",
            ),
            Self::Neuropathy => ("E11.40", "Type 2 diabetes mellitus with diabetic neuropathy, unspecified"),
            Self::Kidney => ("N18.30", "Chronic kidney disease, stage 3 unspecified"),
            Self::Hypertension => ("I10", "Essential (primary) hypertension"),
            Self::Hyperlipidaemia => ("E78.5", "Hyperlipidemia, unspecified"),
            Self::Coronary => {
                ("I25.10", "Atherosclerotic heart disease of native coronary artery without angina pectoris")
            }
            Self::Fibrillation => ("I48.91", "Unspecified atrial fibrillation"),
            Self::HeartFailure => ("I50.9", "Heart failure, unspecified"),
            Self::Obesity => ("E66.9", "Obesity, unspecified"),
            Self::Asthma => ("J45.909", "Unspecified asthma, uncomplicated"),
            Self::Copd => ("J44.9", "Chronic obstructive pulmonary disease, unspecified"),
            Self::Rhinitis => ("J30.9", "Allergic rhinitis, unspecified"),
            Self::Hypothyroidism => ("E03.9", "Hypothyroidism, unspecified"),
            Self::Reflux => ("K21.9", "Gastro-esophageal reflux disease without esophagitis"),
            Self::Arthritis => ("M19.90", "Unspecified osteoarthritis, unspecified site"),
            Self::Osteoporosis => ("M81.0", "Age-related osteoporosis without current pathological fracture"),
            Self::Gout => ("M10.9", "Gout, unspecified"),
            Self::IronDeficiency => ("D50.9", "Iron deficiency anemia, unspecified"),
            Self::Prostate => ("N40.0", "Benign prostatic hyperplasia without lower urinary tract symptoms"),
            Self::Migraine => {
                ("G43.909", "Migraine, unspecified, not intractable, without status migrainosus")
            }
            Self::Depression => ("F32.9", "Major depressive disorder, single episode, unspecified"),
            Self::Anxiety => ("F41.1", "Generalized anxiety disorder"),
            Self::Alzheimer => ("G30.9", "Alzheimer's disease, unspecified"),
            Self::OpioidDependence => ("F11.20", "Opioid dependence, uncomplicated"),
            Self::Eczema => ("L20.9", "Atopic dermatitis, unspecified"),
        }
    }

    /// Drugs usually given, the mainstay first.
    pub(super) fn drugs(self) -> &'static [&'static Drug] {
        match self {
            Self::Diabetes => &[&drug::METFORMIN],
            // Insulin comes in once the eyes show that tablets were not enough.
            Self::Retinopathy => &[&drug::GLARGINE],
            Self::Neuropathy => &[&drug::GABAPENTIN],
            Self::Hypertension => &[&drug::LISINOPRIL, &drug::AMLODIPINE],
            Self::Hyperlipidaemia => &[&drug::ATORVASTATIN],
            Self::Coronary => &[&drug::ASPIRIN, &drug::METOPROLOL],
            Self::Fibrillation => &[&drug::APIXABAN],
            Self::HeartFailure => &[&drug::FUROSEMIDE, &drug::METOPROLOL],
            Self::Asthma => &[&drug::ALBUTEROL, &drug::FLUTICASONE],
            Self::Copd => &[&drug::FLUTICASONE_SALMETEROL, &drug::ALBUTEROL],
            Self::Rhinitis => &[&drug::CETIRIZINE],
            Self::Hypothyroidism => &[&drug::LEVOTHYROXINE],
            Self::Reflux => &[&drug::OMEPRAZOLE],
            Self::Arthritis => &[&drug::ACETAMINOPHEN],
            Self::Osteoporosis => &[&drug::ALENDRONATE],
            Self::Gout => &[&drug::ALLOPURINOL],
            Self::IronDeficiency => &[&drug::IRON],
            Self::Prostate => &[&drug::TAMSULOSIN],
            Self::Migraine => &[&drug::SUMATRIPTAN],
            Self::Depression | Self::Anxiety => &[&drug::SERTRALINE],
            Self::Alzheimer => &[&drug::DONEPEZIL],
            Self::OpioidDependence => &[&drug::BUPRENORPHINE],
            Self::Prediabetes | Self::Kidney | Self::Obesity | Self::Eczema => &[],
        }
    }

    /// Whether records of it fall under 42 CFR Part 2 and are released by consent only.
    pub(super) fn is_part2(self) -> bool {
        self == Self::OpioidDependence
    }
}
