//! sallyport-test-e2e.
