//! Puts the web client into one table, so that the executable needs no file beside it.

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

/// What a browser may ask for, by extension, and the media type it gets.
const TYPES: [(&str, &str); 8] = [
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("ogg", "audio/ogg"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("webmanifest", "application/manifest+json"),
];

/// Where the client lies, from this crate's folder.
const FOLDER: &str = "../../clients/web";

fn main() -> Result<(), Box<dyn Error>> {
    // Never by an absolute path: a folder of built things may serve another checkout, whose pages
    // are its own.
    println!("cargo:rerun-if-changed={FOLDER}");
    let mut files: Vec<PathBuf> =
        fs::read_dir(FOLDER)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.sort();

    let mut table = String::from("&[\n");
    for path in &files {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let media_type = TYPES.iter().find(|(known, _)| Some(*known) == extension);
        let Some((_, media_type)) = media_type.filter(|_| !name.contains(".test.")) else {
            continue;
        };
        writeln!(
            table,
            "Asset {{ name: {name:?}, media_type: {media_type:?}, bytes: include_bytes!(concat!(\
             env!(\"CARGO_MANIFEST_DIR\"), \"/{FOLDER}/{name}\")) }},"
        )?;
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("assets.rs"), table)?;
    Ok(())
}
