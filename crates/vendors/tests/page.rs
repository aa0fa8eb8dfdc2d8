//! The page about the products is generated: a stale one fails. `scripts/generate` writes it anew.

use std::path::Path;

#[test]
fn the_page_about_the_products_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/VENDORS.md");
    let page = sallyport_vendors::page::markdown();
    if std::env::var("SALLYPORT_GENERATE").is_ok_and(|v| v == "write") {
        std::fs::write(&path, &page).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/VENDORS.md is stale: run scripts/generate");
}
