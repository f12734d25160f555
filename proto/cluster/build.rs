//! Compiles `schema/` without `protoc`. The client protocol's messages are those of `proto`.

use std::io;

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=schema");
    println!("cargo:rerun-if-changed=../schema");
    let files = protox::compile(["schema/cluster.proto"], ["schema", "../schema"])
        .map_err(io::Error::other)?;
    let mut config = prost_build::Config::new();
    config.bytes([".adda.cluster.v1.LinkPacket"]).btree_map(["."]);
    tonic_prost_build::configure()
        .build_transport(false)
        .extern_path(".livekit", "::proto::livekit")
        .compile_fds_with_config(files, config)
}
