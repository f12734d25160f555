//! Key material: what DTLS exports, and the session keys derived from it.

use aes::{
    Aes128, Aes256,
    cipher::{KeyIvInit, StreamCipher},
};

const CM_SALT_LEN: usize = 14;

/// How packets are protected; chosen by the DTLS handshake (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Aes256Gcm,
    Aes128Gcm,
    /// AES in counter mode with an HMAC-SHA1 of 80 bits: all that some clients offer.
    Aes128CmSha1,
}

impl Profile {
    /// Bytes of a master key.
    pub fn key_len(self) -> usize {
        match self {
            Self::Aes256Gcm => 32,
            Self::Aes128Gcm | Self::Aes128CmSha1 => 16,
        }
    }

    /// Bytes of a master salt.
    pub fn salt_len(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::Aes128Gcm => 12,
            Self::Aes128CmSha1 => CM_SALT_LEN,
        }
    }
}

/// One direction's master key and salt.
#[derive(Clone)]
pub struct MasterKey {
    pub key: Vec<u8>,
    pub salt: Vec<u8>,
}

/// Everything a handshake gave us. Plain values, so that another process could go on with them.
#[derive(Clone)]
pub struct Keying {
    pub profile: Profile,
    /// What we seal with.
    pub local: MasterKey,
    /// What we open with.
    pub remote: MasterKey,
}

/// Which side of the DTLS handshake we were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

impl Keying {
    /// Splits exported material: client key, server key, client salt, server salt
    /// (RFC 5764 §4.2). `None` if its length is not the profile's.
    pub fn from_exported(profile: Profile, side: Side, exported: &[u8]) -> Option<Self> {
        let (keys, salts) = exported.split_at_checked(profile.key_len() * 2)?;
        if salts.len() != profile.salt_len() * 2 {
            return None;
        }
        let (client_key, server_key) = keys.split_at_checked(profile.key_len())?;
        let (client_salt, server_salt) = salts.split_at_checked(profile.salt_len())?;
        let client = MasterKey { key: client_key.to_vec(), salt: client_salt.to_vec() };
        let server = MasterKey { key: server_key.to_vec(), salt: server_salt.to_vec() };
        Some(match side {
            Side::Client => Self { profile, local: client, remote: server },
            Side::Server => Self { profile, local: server, remote: client },
        })
    }
}

/// What a derived key is for (RFC 3711 §4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Label {
    RtpKey = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Derives a session key (RFC 3711 §4.3.3), rate zero: once for the life of the master key.
///
/// The generator is AES in counter mode as wide as the master key; a shorter GCM salt is padded
/// with zeros on the right (RFC 7714 §11).
pub(super) fn derive<const N: usize>(master: &MasterKey, label: Label) -> Option<[u8; N]> {
    let mut iv = [0; 16];
    iv.get_mut(..CM_SALT_LEN)?.get_mut(..master.salt.len())?.copy_from_slice(&master.salt);
    *iv.get_mut(7)? ^= label as u8;

    let mut derived = [0; N];
    match master.key.len() {
        16 => ctr::Ctr128BE::<Aes128>::new_from_slices(&master.key, &iv)
            .ok()?
            .apply_keystream(&mut derived),
        32 => ctr::Ctr128BE::<Aes256>::new_from_slices(&master.key, &iv)
            .ok()?
            .apply_keystream(&mut derived),
        _ => return None,
    }
    Some(derived)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::bytes;

    #[test]
    fn session_keys_are_those_of_rfc_3711_b3() {
        let master = MasterKey {
            key: bytes("E1F97A0D3E018BE0D64FA32C06DE4139"),
            salt: bytes("0EC675AD498AFEEBB6960B3AABE6"),
        };
        let key: [u8; 16] = derive(&master, Label::RtpKey).unwrap();
        let salt: [u8; 14] = derive(&master, Label::RtpSalt).unwrap();
        let authentication: [u8; 94] = derive(&master, Label::RtpAuthentication).unwrap();
        assert_eq!(key[..], bytes("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(salt[..], bytes("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            authentication[..],
            bytes(
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327A
                 D175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E47403576
                 6B68642C59BBFC2F34DB60DBDFB2DC68"
            )[..94]
        );
    }

    #[test]
    fn exported_material_is_split_by_side() {
        let exported: Vec<u8> = (0..56).collect();
        let client = Keying::from_exported(Profile::Aes128Gcm, Side::Client, &exported).unwrap();
        assert_eq!(client.local.key, (0..16).collect::<Vec<u8>>());
        assert_eq!(client.remote.key, (16..32).collect::<Vec<u8>>());
        assert_eq!(client.local.salt, (32..44).collect::<Vec<u8>>());
        assert_eq!(client.remote.salt, (44..56).collect::<Vec<u8>>());

        let server = Keying::from_exported(Profile::Aes128Gcm, Side::Server, &exported).unwrap();
        assert_eq!(server.local.key, client.remote.key);
        assert_eq!(server.remote.salt, client.local.salt);
    }

    #[test]
    fn material_of_another_profile_is_refused() {
        for (profile, len) in
            [(Profile::Aes256Gcm, 88), (Profile::Aes128Gcm, 56), (Profile::Aes128CmSha1, 60)]
        {
            for given in 0..100 {
                let split = Keying::from_exported(profile, Side::Client, &vec![1; given]);
                assert_eq!(split.is_some(), given == len, "{profile:?} {given}");
            }
        }
    }
}
