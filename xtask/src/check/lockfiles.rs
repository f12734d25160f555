//! What is built has one crypto provider; lock files hold no addresses of anybody's registry.

use crate::workspace::Source;

/// Crates that would bring a second crypto library or a C library from the system.
const BANNED: &[&str] = &["openssl-sys", "ring"];

/// What `cargo tree` lists that must not be built. A lock file also names what no feature asks for.
pub(crate) fn banned(tree: &str) -> Vec<String> {
    let built = |name: &&&str| tree.lines().any(|line| line.starts_with(&format!("{name} v")));
    let found = BANNED.iter().filter(built);
    found.map(|name| format!("{name}; `cargo tree --workspace -i {name}` says who asks")).collect()
}

pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let path = &source.path;
        match source.file_name() {
            "package-lock.json" if source.text.contains("\"resolved\":") => findings.push(format!(
                "{path}: `resolved` addresses; npm's omit-lockfile-registry-resolved leaves them out"
            )),
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(path: &str, text: &str) -> Vec<String> {
        findings(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_second_crypto_provider_is_refused() {
        assert_eq!(banned("rustls v0.23.1\nring v0.17.14\n").len(), 1);
        assert_eq!(banned("stringprep v0.1.5\naws-lc-rs v1.19.0\n"), [""; 0]);
    }

    #[test]
    fn an_address_in_a_package_lock_is_refused() {
        let path = "load-tests/e2e/node/package-lock.json";
        assert_eq!(judge(path, "{\"resolved\": \"https://example.org/a.tgz\"}").len(), 1);
        assert_eq!(judge(path, "{\"integrity\": \"sha512-x\"}"), [""; 0]);
    }
}
