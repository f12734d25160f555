//! Where programs are, and what to do when one isn't there.

use std::{env, fs, path::PathBuf};

/// Returns the program on the path, or where else it is commonly put.
pub(crate) fn find(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let common = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from);
    let mut folders = env::split_paths(&path).chain(common).chain(postgres_folders());
    folders
        .find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file()))
        .unwrap_or_else(|| {
            panic!("{program} is not on this machine; `cargo xtask setup` installs it or says how")
        })
}

/// Debian keeps each version's programs off the path, the newest last by name.
fn postgres_folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// Whether this process has the rights of root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
