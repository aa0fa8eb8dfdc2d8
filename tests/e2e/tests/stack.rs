//! The product as separate processes on real servers, disturbed in every way: see `scripts/stack`.

use sallyport_test_e2e::stack::{kills, lifecycle, outages, revoking, storm};

macro_rules! scenarios {
    ($($name:ident => $scenario:path;)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() -> anyhow::Result<()> {
            $scenario().await
        }
    )* };
}

scenarios! {
    services_start_in_any_order => lifecycle::any_order_of_start_works;
    an_end_in_good_order_finishes_what_is_under_way => lifecycle::an_end_in_good_order_finishes_what_is_under_way;
    the_console_opens_where_every_service_is_a_process => lifecycle::the_console_opens;
    certificates_are_renewed_while_serving => lifecycle::certificates_are_renewed_while_serving;
    a_refresh_storm_redeems_once_or_says_uncertain => storm::a_storm_redeems_once_or_says_uncertain;
    nothing_is_lost_when_processes_are_killed_under_load => kills::nothing_is_lost_by_kills;
    a_broker_outage_under_load_loses_no_record => kills::a_broker_outage_loses_no_record;
    a_rolling_restart_under_load_fails_no_read => kills::a_rolling_restart_fails_no_read;
    a_revocation_reaches_every_replica_in_time => revoking::every_replica_refuses_soon;
    without_heartbeats_nothing_is_answered => revoking::without_heartbeats_nothing_is_answered;
    the_database_may_go_and_come_back => outages::the_database_is_gone;
    the_cache_may_go_and_come_back => outages::the_cache_is_gone;
    the_key_service_may_go_and_come_back => outages::the_key_service_is_gone;
    the_audit_service_may_go_and_come_back => outages::the_audit_service_is_gone;
    the_ehr_may_go_and_come_back => outages::the_ehr_is_gone;
}
