//! The generated gRPC code and the conversions between its messages and the vocabulary in `sallyport-model`.
//!
//! The comments in `/proto` are the API reference.

pub mod convert;

/// The compiled file descriptors, for reflection and for tests that walk every method.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

macro_rules! package {
    ($name:ident, $path:literal) => {
        /// Documented in the .proto file.
        pub mod $name {
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!($path);
            }
        }
    };
}

package!(types, "sallyport.types.v1");
package!(launch, "sallyport.launch.v1");
package!(vault, "sallyport.vault.v1");
package!(gateway, "sallyport.gateway.v1");
package!(audit, "sallyport.audit.v1");
package!(jobs, "sallyport.jobs.v1");
package!(keys, "sallyport.keys.v1");
