//! Compiles `schema/` without `protoc`, and keeps the descriptors for the JSON form.

use std::{env, fs, io, path::PathBuf};

use prost::Message as _;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=schema");
    let files = protox::compile(["schema/livekit.proto"], ["schema"]).map_err(io::Error::other)?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("schema.bin"), files.encode_to_vec())?;
    prost_build::Config::new().btree_map(["."]).enable_type_names().compile_fds(files)
}
