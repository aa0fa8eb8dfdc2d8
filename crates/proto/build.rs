//! Compiles proto/sallyport with a pure-Rust compiler: nothing but cargo is needed.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files: Vec<PathBuf> = ["types", "launch", "vault", "gateway", "audit", "jobs", "keys"]
        .iter()
        .map(|name| root.join(format!("sallyport/{name}/v1/{name}.proto")))
        .collect();
    let descriptors = protox::compile(files, [&root])?;
    tonic_prost_build::configure()
        .bytes(".sallyport.gateway.v1.ChartResponse.json")
        .bytes(".sallyport.gateway.v1.Resource.json")
        .bytes(".sallyport.jobs.v1.FoundByScan.json")
        .bytes(".sallyport.gateway.v1.CareGapsFound.json")
        .bytes(".sallyport.gateway.v1.Searchset.resources")
        .bytes(".sallyport.gateway.v1.FetchBulkFileResponse.Lines.data")
        .compile_fds(descriptors.clone())?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(out, prost::Message::encode_to_vec(&descriptors))?;
    Ok(())
}
