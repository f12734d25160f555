//! Names by which one program of tests is told from another.

use std::collections::BTreeSet;

use crate::{check::WHOLE, workspace::Metadata};

/// `cargo test --test NAME` runs every crate's test of that name. Those of the whole have their own
/// step, so nobody else's may be called alike.
pub(crate) fn findings(metadata: &Metadata) -> Vec<String> {
    alike(&metadata.tests(|name| name == WHOLE), &metadata.tests(|name| name != WHOLE))
}

fn alike(whole: &BTreeSet<&str>, others: &BTreeSet<&str>) -> Vec<String> {
    let names = whole.intersection(others);
    names.map(|name| format!("{WHOLE}: tests/{name} is another crate's name, too")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_programs_of_one_name_are_found() {
        let whole = BTreeSet::from(["sdks", "wire"]);
        assert_eq!(alike(&whole, &BTreeSet::from(["scenarios", "wire"])).len(), 1);
        assert_eq!(alike(&whole, &BTreeSet::from(["scenarios"])), [""; 0]);
    }
}
