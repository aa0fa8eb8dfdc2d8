//! Finding a patient in a list, and dates as people write them. Shared by the portal and the pickers.

use jiff::civil::Date;

use crate::data::PatientSummary;

/// The patients whose name, MRN or birth date holds every word of the query.
pub(crate) fn matching<'a>(
    patients: &'a [PatientSummary],
    query: &str,
) -> impl Iterator<Item = &'a PatientSummary> + use<'a> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    patients.iter().filter(move |patient| {
        let written = written_date(&patient.birth_date);
        let text =
            format!("{} {} {} {written}", patient.name, patient.mrn, patient.birth_date).to_lowercase();
        words.iter().all(|word| text.contains(word))
    })
}

/// A FHIR date or instant as `14-Jul-1945`; partial dates as far as they go, unknown ones in words.
pub(crate) fn written_date(fhir: &str) -> String {
    let day = fhir.split('T').next().unwrap_or_default();
    if day.is_empty() {
        return "date not known".to_owned();
    }
    day.parse::<Date>().map_or_else(|_partial| day.to_owned(), |date| date.strftime("%d-%b-%Y").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient(name: &str, mrn: &str, birth_date: &str) -> PatientSummary {
        PatientSummary {
            id: mrn.to_owned(),
            name: name.to_owned(),
            birth_date: birth_date.to_owned(),
            gender: "female".to_owned(),
            mrn: mrn.to_owned(),
        }
    }

    #[test]
    fn every_word_must_be_found_in_name_number_or_birth_date() {
        let all =
            [patient("Maria Abreu", "000123", "1945-07-14"), patient("Mario Bauer", "000456", "1980-01-02")];
        let found =
            |query: &str| matching(&all, query).map(|patient| patient.mrn.clone()).collect::<Vec<_>>();
        assert_eq!(found("mari"), ["000123", "000456"]);
        assert_eq!(found("ABREU maria"), ["000123"]);
        assert_eq!(found("1980-01-02"), ["000456"]);
        assert_eq!(found("jul-1945"), ["000123"]);
        assert_eq!(found("456 abreu"), Vec::<String>::new());
        assert_eq!(found(""), ["000123", "000456"]);
    }

    #[test]
    fn dates_are_written_as_far_as_they_are_known() {
        assert_eq!(written_date("1945-07-14"), "14-Jul-1945");
        assert_eq!(written_date("2024-03-05T09:30:00Z"), "05-Mar-2024");
        assert_eq!(written_date("1945-07"), "1945-07");
        assert_eq!(written_date(""), "date not known");
    }
}
