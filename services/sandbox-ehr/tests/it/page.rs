//! The page about the profiles says what the profiles do.

use std::fmt::Debug;

use sallyport_sandbox_ehr::profile::Profile;

const PAGE: &str = include_str!("../../../../docs/SANDBOX-PROFILES.md");

fn row(title: &str, cell: impl Fn(&Profile) -> String) -> String {
    let cells: Vec<String> = Profile::all().iter().map(|profile| cell(profile).replace('|', "\\|")).collect();
    format!("| {title} | {} |", cells.join(" | "))
}

/// The variant of a knob without what it holds.
fn variant(knob: &impl Debug) -> String {
    let text = format!("{knob:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn list(items: &[&str]) -> String {
    if items.is_empty() { "–".to_owned() } else { items.join(", ") }
}

/// What the table must say, row by row.
fn rows() -> Vec<String> {
    let required = |p: &Profile| {
        let kinds: Vec<&str> = p.search.required.iter().map(|rule| rule.kind).collect();
        if kinds.len() > 5 { format!("{} types", kinds.len()) } else { list(&kinds) }
    };
    let limits = |p: &Profile| {
        let each: Vec<String> = p
            .limits
            .iter()
            .map(|limit| format!("{} {:?}, {:?}", limit.count, limit.window, limit.told))
            .collect();
        if each.is_empty() { "–".to_owned() } else { each.join("; ") }
    };
    vec![
        row("Difference", |p| format!("`{}`", p.name)),
        row("Authorization host", |p| variant(&p.discovery.host)),
        row("Issuer", |p| variant(&p.discovery.issuer)),
        row("Missing in discovery", |p| list(p.discovery.omits)),
        row("OAuth addresses in /metadata", |p| variant(&p.discovery.oauth_uris)),
        row("`aud`", |p| variant(&p.audience)),
        row("PKCE", |p| variant(&p.pkce)),
        row("Client authentication", |p| list(p.auth_methods)),
        row("Scopes", |p| variant(&p.scope_dialect)),
        row("Wildcards in scopes", |p| yes(p.allows_wildcards)),
        row("Access token, seconds", |p| p.access_token_seconds.to_string()),
        row("Refresh", |p| variant(&p.refresh)),
        row("Refresh for public apps", |p| yes(p.refreshes_public_clients)),
        row("Token length", |p| p.token_length.to_string()),
        row("`fhirUser`", |p| variant(&p.id_token.fhir_user)),
        row("Introspection", |p| variant(&p.introspection)),
        row("OAuth errors", |p| variant(&p.oauth_errors)),
        row("FHIR errors of its own", |p| p.errors.len().to_string()),
        row("Searches that need parameters", required),
        row("Unknown parameters", |p| variant(&p.search.unknown)),
        row("Page size, largest", |p| format!("{}, {}", p.search.sizes.usual, p.search.sizes.largest)),
        row("`total`", |p| variant(&p.search.total)),
        row("Next page", |p| variant(&p.search.next)),
        row("Paging bug", |p| variant(&p.search.bug)),
        row("`fullUrl`", |p| variant(&p.search.full_url)),
        row("Ids", |p| variant(&p.data.ids)),
        row("`meta`", |p| variant(&p.data.meta)),
        row("Prescribed drug", |p| variant(&p.data.medications)),
        row("Codings", |p| variant(&p.data.codings)),
        row("Documents", |p| variant(&p.data.attachments)),
        row("XML unless JSON is named", |p| yes(p.data.defaults_to_xml)),
        row("Services and bulk export", |p| {
            p.bulk.map_or("–".to_owned(), |rules| format!("{:?}", rules.files))
        }),
        row("Limits", limits),
    ]
}

/// Whether this run writes the page: what was compiled in is then the old one.
fn is_written() -> bool {
    std::env::var("SALLYPORT_GENERATE").is_ok_and(|mode| mode == "write")
}

/// The page with its table made anew: the rows that are known, the line under the head as wide as they are.
fn rewritten(page: &str, rows: &[String]) -> String {
    let title = |line: &str| line.split('|').nth(1).map(str::trim).map(str::to_owned);
    let lines = page.lines().map(|line| match rows.iter().find(|row| title(row) == title(line)) {
        Some(row) if line.starts_with('|') => row.clone(),
        _ if line.starts_with("|---") => "|---".repeat(Profile::all().len() + 1) + "|",
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn the_table_of_the_page_is_made_anew_and_nothing_else_of_it() {
    let page = "# Title\n\n| Difference | `a` |\n|---|---|\n| Issuer | Old |\n\nText.\n";
    let made = rewritten(page, &["| Issuer | New | Newer |".to_owned()]);
    assert!(
        made.contains("| Issuer | New | Newer |\n\nText.\n") && made.contains("| Difference | `a` |"),
        "{made}"
    );
    assert!(is_written() || rewritten(PAGE, &rows()) == PAGE, "what is current stays as it is");
}

#[test]
fn the_page_about_the_profiles_tells_every_knob_as_it_is() {
    if is_written() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SANDBOX-PROFILES.md");
        std::fs::write(path, rewritten(PAGE, &rows())).expect("docs can be written");
        return;
    }
    let told: Vec<&str> = PAGE.lines().collect();
    let missing: Vec<String> = rows().into_iter().filter(|row| !told.contains(&row.as_str())).collect();
    assert!(missing.is_empty(), "the page lacks these rows:\n{}", missing.join("\n"));
}

#[test]
fn every_profile_differs_from_strict_in_what_it_is_for() {
    let strict = format!("{:?}", Profile::STRICT);
    for profile in Profile::all().iter().skip(1) {
        assert_ne!(format!("{profile:?}"), strict, "{}", profile.name);
        assert!(is_written() || PAGE.contains(&format!("`{}`", profile.name)));
    }
}
