//! What the lock files hold: one crypto provider, and no addresses of anybody's registry.

use crate::workspace::Source;

/// Crates that would bring a second crypto library or a C library from the system.
const BANNED: &[&str] = &["openssl-sys", "ring"];

pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let path = &source.path;
        match source.file_name() {
            "Cargo.lock" => findings.extend(
                BANNED
                    .iter()
                    .filter(|name| source.text.contains(&format!("\nname = \"{name}\"\n")))
                    .map(|name| format!("{path}: {name}; `cargo tree -i {name}` says who asks")),
            ),
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
        assert_eq!(judge("Cargo.lock", "[[package]]\nname = \"ring\"\nversion = \"1\"\n").len(), 1);
        let other = "[[package]]\nname = \"stringprep\"\nversion = \"1\"\n";
        assert_eq!(judge("Cargo.lock", other), [""; 0]);
    }

    #[test]
    fn an_address_in_a_package_lock_is_refused() {
        let path = "load-tests/e2e/node/package-lock.json";
        assert_eq!(judge(path, "{\"resolved\": \"https://example.org/a.tgz\"}").len(), 1);
        assert_eq!(judge(path, "{\"integrity\": \"sha512-x\"}"), [""; 0]);
    }
}
