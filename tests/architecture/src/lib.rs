//! sallyport-test-architecture.
