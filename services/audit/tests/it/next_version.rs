//! During a roll-out this version runs on the schema that the next one has already expanded.

#[test]
fn the_whole_flow_runs_on_the_next_versions_schema() {
    sallyport_db::testing::next_version::run(&["storing::", "querying::", "erasure::"]);
}
