//! What a test shows in this patient on this day: healthy norms, moved by each disease and its treatment.
//!
//! Derived values are computed as a laboratory computes them, so that panels agree with themselves: the
//! filtration rate from creatinine (CKD-EPI 2021), total cholesterol from its parts (Friedewald), the
//! haematocrit from haemoglobin, fasting glucose from the glycated fraction.

use super::{
    super::{
        cast::Sex,
        chart::Chart,
        code::round,
        disease::Disease,
        visits::{Kind, Visit},
    },
    analyte::{
        ALBUMIN_RATIO, ALT, Analyte, CHOLESTEROL, CREATININE, EGFR, FERRITIN, GLUCOSE, GLYCATED, HAEMATOCRIT,
        HAEMOGLOBIN, HDL, LDL, NATRIURETIC, POTASSIUM, SODIUM, TRIGLYCERIDES, TSH, URATE, UREA,
    },
};

/// The values of one patient by test and visit. What was drawn once at a visit stays the same, whichever
/// panel asks for it.
pub(super) struct Norms {
    /// Where this person stands within the healthy spread, from -1 to 1.
    lean: f64,
    drawn: std::cell::RefCell<std::collections::HashMap<(&'static str, String), f64>>,
}

impl Norms {
    pub(super) fn of(chart: &mut Chart<'_>) -> Self {
        Self { lean: chart.near(0.0, 0.4), drawn: std::cell::RefCell::default() }
    }

    /// The value of a test at a visit; none for tests that make no sense at that age.
    pub(super) fn value(&self, chart: &mut Chart<'_>, test: &'static Analyte, visit: &Visit) -> Option<f64> {
        if test.code == EGFR.code && chart.age_on(visit.at.date) < 18.0 {
            return None;
        }
        let key = (test.code.0, visit.id.clone());
        if let Some(known) = self.drawn.borrow().get(&key) {
            return Some(*known);
        }
        let value = round(self.draw(chart, test, visit)?, test.decimals);
        self.drawn.borrow_mut().insert(key, value);
        Some(value)
    }

    fn draw(&self, chart: &mut Chart<'_>, test: &'static Analyte, visit: &Visit) -> Option<f64> {
        let code = test.code;
        if code == EGFR.code {
            let creatinine = self.value(chart, &CREATININE, visit)?;
            return Some(filtration(creatinine, chart.person.sex, chart.age_on(visit.at.date)));
        }
        if code == CREATININE.code {
            let rate = rate(chart, visit) + self.lean * 5.0;
            let rate = chart.near(rate, 1.2);
            return Some(creatinine(rate, chart.person.sex, chart.age_on(visit.at.date)));
        }
        if code == CHOLESTEROL.code {
            let (ldl, hdl) = (self.value(chart, &LDL, visit)?, self.value(chart, &HDL, visit)?);
            return Some(ldl + hdl + self.value(chart, &TRIGLYCERIDES, visit)? / 5.0);
        }
        if code == HAEMATOCRIT.code {
            return Some(self.value(chart, &HAEMOGLOBIN, visit)? * 2.98);
        }
        if code == GLUCOSE.code && (chart.has(Disease::Diabetes) || chart.has(Disease::Prediabetes)) {
            // Average glucose as the glycated fraction tells it; fasting lies somewhat below.
            let average = 28.7 * self.value(chart, &GLYCATED, visit)? - 46.7;
            return Some(chart.near(average * 0.9, 5.0));
        }
        let (mean, spread) = expected(chart, test, visit)
            .unwrap_or((test.usual.0 + self.lean * test.usual.1, test.usual.1 * 0.6));
        Some(chart.near(mean, spread).max(test.usual.0 * 0.02))
    }
}

/// Mean and spread where a disease moves the value; none where the healthy norm holds.
fn expected(chart: &Chart<'_>, test: &Analyte, visit: &Visit) -> Option<(f64, f64)> {
    let day = visit.at.date;
    let years = |disease| chart.years_with(disease, day);
    let code = test.code;
    if code == GLYCATED.code {
        let poorly = chart.has(Disease::Retinopathy);
        return match (years(Disease::Diabetes), years(Disease::Prediabetes)) {
            // Insulin brings a poorly controlled patient down by a point.
            (Some(_), _) if poorly => Some((
                if years(Disease::Retinopathy).is_some_and(|since| since > 1.0) { 8.3 } else { 9.4 },
                0.2,
            )),
            (Some(since), _) if since < 1.0 => Some((8.9 - since * 1.7, 0.1)),
            (Some(since), _) => Some((6.9 + (since - 1.0) * 0.09, 0.15)),
            (None, Some(_)) => Some((6.0, 0.1)),
            _ => None,
        };
    }
    if code == LDL.code {
        return years(Disease::Hyperlipidaemia)
            .map(|since| if since < 0.3 { (172.0, 6.0) } else { (94.0, 6.0) });
    }
    if code == TRIGLYCERIDES.code && (chart.has(Disease::Diabetes) || chart.has(Disease::Obesity)) {
        return Some((176.0, 14.0));
    }
    if code == HDL.code && (chart.has(Disease::Diabetes) || chart.has(Disease::Obesity)) {
        return Some((if chart.person.sex == Sex::Female { 46.0 } else { 39.0 }, 2.0));
    }
    if code == HAEMOGLOBIN.code {
        return Some((haemoglobin(chart, visit), 0.2));
    }
    if code == FERRITIN.code {
        return years(Disease::IronDeficiency).map(|since| (6.0 + (since * 24.0).min(44.0), 2.0));
    }
    if code == TSH.code {
        return years(Disease::Hypothyroidism)
            .map(|since| if since < 0.3 { (12.4, 0.8) } else { (2.6, 0.5) });
    }
    if code == NATRIURETIC.code {
        let congested = visit.kind == Kind::Inpatient;
        return years(Disease::HeartFailure)
            .map(|_| if congested { (6800.0, 500.0) } else { (1650.0, 200.0) });
    }
    if code == URATE.code {
        return years(Disease::Gout).map(|since| if since < 0.4 { (9.1, 0.2) } else { (6.1, 0.3) });
    }
    if code == ALBUMIN_RATIO.code {
        return match (years(Disease::Kidney), years(Disease::Diabetes)) {
            (Some(since), _) => Some((85.0 + since * 15.0, 9.0)),
            (None, Some(since)) => Some((14.0 + since * 2.0, 3.0)),
            _ => None,
        };
    }
    if code == ALT.code && chart.has(Disease::Obesity) {
        return Some((47.0, 4.0));
    }
    if code == POTASSIUM.code && (chart.has(Disease::Kidney) || chart.has(Disease::HeartFailure)) {
        return Some((4.7, 0.15));
    }
    if code == UREA.code && (chart.has(Disease::Kidney) || chart.has(Disease::HeartFailure)) {
        return Some((25.0, 1.5));
    }
    if code == SODIUM.code && chart.has(Disease::HeartFailure) {
        return Some((136.0, 0.8));
    }
    None
}

fn haemoglobin(chart: &Chart<'_>, visit: &Visit) -> f64 {
    let age = chart.age_on(visit.at.date);
    let healthy = match chart.person.sex {
        _ if age < 12.0 => 12.6,
        Sex::Female => 13.4,
        Sex::Male => 15.0,
    };
    match chart.years_with(Disease::IronDeficiency, visit.at.date) {
        Some(since) => (9.1 + since * 3.0).min(12.7),
        None if chart.years_with(Disease::Kidney, visit.at.date).is_some() => healthy - 1.7,
        None => healthy,
    }
}

/// The filtration rate this patient should have: falling with age, faster in kidney disease.
fn rate(chart: &Chart<'_>, visit: &Visit) -> f64 {
    let age = chart.age_on(visit.at.date);
    let healthy = (112.0 - (age - 25.0).max(0.0) * 0.75).max(58.0);
    match chart.years_with(Disease::Kidney, visit.at.date) {
        Some(since) => (54.0 - since * 2.4).max(31.0),
        // The years before the diagnosis already show the decline.
        None if chart.has(Disease::Kidney) => healthy.min(66.0),
        None if chart.has(Disease::HeartFailure) => healthy.min(62.0),
        None => healthy,
    }
}

/// kappa, alpha and the factor for women of the CKD-EPI equation of 2021.
fn constants(sex: Sex) -> (f64, f64, f64) {
    match sex {
        Sex::Female => (0.7, -0.241, 1.012),
        Sex::Male => (0.9, -0.302, 1.0),
    }
}

fn filtration(creatinine: f64, sex: Sex, age: f64) -> f64 {
    let (kappa, alpha, factor) = constants(sex);
    let ratio = creatinine / kappa;
    142.0 * ratio.min(1.0).powf(alpha) * ratio.max(1.0).powf(-1.2) * 0.9938f64.powf(age) * factor
}

/// The creatinine at which the equation gives this rate.
fn creatinine(rate: f64, sex: Sex, age: f64) -> f64 {
    let (kappa, alpha, factor) = constants(sex);
    let share = rate / (142.0 * 0.9938f64.powf(age) * factor);
    let exponent = if share < 1.0 { -1.0 / 1.2 } else { 1.0 / alpha };
    kappa * share.powf(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filtration_rate_agrees_with_published_values_of_the_equation() {
        // 50-year-old man, 1.0 mg/dL: 92; 50-year-old woman, 1.0 mg/dL: 69.
        assert!((filtration(1.0, Sex::Male, 50.0) - 92.0).abs() < 1.0);
        assert!((filtration(1.0, Sex::Female, 50.0) - 69.0).abs() < 1.0);
    }

    #[test]
    fn creatinine_is_the_inverse_of_the_filtration_rate() {
        for (target, sex, age) in
            [(40.0, Sex::Female, 70.0), (58.0, Sex::Male, 55.0), (118.0, Sex::Female, 24.0)]
        {
            let back = filtration(creatinine(target, sex, age), sex, age);
            assert!((back - target).abs() < 0.5, "{target} became {back}");
        }
    }
}
