use sallyport_fhir::Limits;

use super::*;

fn row(id: &str, version: &str) -> String {
    format!(r#"{{"resourceType":"Condition","id":"{id}","meta":{{"versionId":"{version}"}}}}"#)
}

/// Reads pages of `(rows, total, next)` one after the other, each under its own address.
fn read(trail: &Trail, here: &str, rows: &[String], total: Option<u64>, next: Option<&str>) -> Followed {
    let envelopes: Vec<Envelope<'_>> =
        rows.iter().map(|row| Envelope::parse(row.as_bytes(), &Limits::default()).unwrap()).collect();
    let rows: Vec<&Envelope<'_>> = envelopes.iter().collect();
    trail.follow(&Met { rows: &rows, total, here, next, most: 5 })
}

#[test]
fn rows_that_come_again_are_dropped_and_newer_versions_are_not() {
    let first = read(&Trail::start(false, false), "1", &[row("a", "1"), row("b", "1")], None, Some("2"));
    assert_eq!(first.is_new, [true, true]);
    let page = [row("b", "1"), row("a", "2"), row("c", "3"), row("c", "9"), row("c", "4"), row("d", "1")];
    let second = read(&first.next.unwrap(), "2", &page, None, None);
    assert_eq!(second.is_new, [false, true, false, true, false, true]);
    assert!(second.partial.is_empty());
}

#[test]
fn a_search_that_turns_in_a_circle_or_stands_still_ends() {
    let first = read(&Trail::start(false, false), "1", &[row("a", "1")], None, Some("2")).next.unwrap();
    assert_eq!(read(&first, "2", &[row("b", "1")], None, Some("1")).partial, [Code::PartialLoop]);
    assert_eq!(read(&first, "2", &[row("b", "1")], None, Some("2")).partial, [Code::PartialLoop]);
    assert_eq!(read(&first, "2", &[row("a", "1")], None, Some("3")).partial, [Code::PartialStall]);
    let mut trail = first;
    for page in ["2", "3"] {
        trail = read(&trail, page, &[], None, Some(&format!("{page}x"))).next.unwrap();
    }
    let third = read(&trail, "4", &[], None, Some("5"));
    assert!(third.partial == [Code::PartialStall] && third.next.is_none());
}

#[test]
fn fewer_distinct_rows_than_the_ehr_counts_are_a_short_read() {
    let start = Trail::start(false, false);
    let first = read(&start, "1", &[row("a", "1"), row("b", "1")], Some(3), Some("2")).next.unwrap();
    assert_eq!(
        read(&first, "2", &[row("b", "1")], Some(3), None).partial,
        [Code::PartialShortRead],
        "b came twice"
    );
    assert!(read(&first, "2", &[row("c", "1")], None, None).partial.is_empty());
    assert!(read(&Trail::start(false, true), "1", &[], Some(3), None).partial.is_empty(), "only counted");
}

#[test]
fn there_is_a_last_page() {
    let trail = Trail { number: 5, ..Trail::start(true, false) };
    let last = read(&trail, "5", &[row("a", "1")], None, Some("6"));
    assert_eq!(last.partial, [Code::PartialNarrowed, Code::PartialPageLimit]);
    assert!(last.next.is_none());
}

#[test]
fn a_trail_is_read_as_it_was_written() {
    let rows: Vec<String> = (0..400).map(|n| row(&n.to_string(), "1")).collect();
    let trail = read(&Trail::start(true, false), "1", &rows, Some(500), Some("2")).next.unwrap();
    assert_eq!(trail.seen.len(), MOST_ROWS);
    let mut bytes = Vec::new();
    trail.write(&mut bytes);
    bytes.extend_from_slice(b"?next=1\n2");
    assert!(bytes.len() < 3_500, "{}", bytes.len());
    let (again, rest) = Trail::read(&bytes).unwrap();
    assert!(again == trail && rest == b"?next=1\n2");
    assert!(Trail::read(bytes.get(..2_000).unwrap()).is_none());
    for bad in ["", "\n", "1 0 - 0 0 1 0 \n", "1 0 - 0 0 0 0 no.code\n", "x 0 - 0 0 0 0 \n"] {
        assert!(Trail::read(bad.as_bytes()).is_none(), "{bad:?}");
    }
}
