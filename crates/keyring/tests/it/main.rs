//! Both keepers of the key-encryption key under one suite, and the key service when it is slow, away or says no. Needs
//! a real OpenBao: `SALLYPORT_TEST_OPENBAO` and `SALLYPORT_TEST_OPENBAO_TOKEN`, as scripts/servers starts one.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod bao;
mod contract;
mod kubernetes;
mod logins;
mod outages;
mod proxy;
