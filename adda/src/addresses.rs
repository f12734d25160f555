//! IP addresses as operators write them: one, or several with commas.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

/// Addresses in the order in which they were written, each once. None means: choose yourself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Addresses(Vec<IpAddr>);

/// It is no address. Names are refused on purpose: one that is looked up once would be wrong
/// later, and one that means several addresses says nothing of which is meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no IP address; names and ports don't belong here, `getent ahosts NAME` finds a name's address"
)]
pub(crate) struct NoAddress {
    text: String,
}

impl Addresses {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.0.iter().copied()
    }

    /// The first of the same family.
    pub(crate) fn like(&self, other: IpAddr) -> Option<IpAddr> {
        self.iter().find(|ip| ip.is_ipv4() == other.is_ipv4())
    }
}

impl FromStr for Addresses {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let mut addresses = Vec::new();
        for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let address = text.parse().map_err(|_| NoAddress { text: text.to_owned() })?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(Self(addresses))
    }
}

impl TryFrom<String> for Addresses {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        text.parse()
    }
}

impl From<Addresses> for String {
    fn from(addresses: Addresses) -> Self {
        addresses.to_string()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.iter().map(|ip| ip.to_string()).collect();
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written_and_back() {
        let both: Addresses = " 10.0.0.7 ,fd00::1,, 10.0.0.7".parse().unwrap();
        assert_eq!(both.to_string(), "10.0.0.7, fd00::1");
        assert_eq!(both.like("::1".parse().unwrap()), Some("fd00::1".parse().unwrap()));
        assert!("".parse::<Addresses>().unwrap().is_empty());
        for wrong in ["media.example.com", "10.0.0.7:7880", "[::1]", "10.0.0", "10.0.0.0/8"] {
            let refusal = wrong.parse::<Addresses>().unwrap_err().to_string();
            assert!(refusal.contains(wrong) && refusal.contains("getent"), "{refusal}");
        }
    }
}
