//! Diffie-Hellman over the groups of RFC 9180 that aws-lc has. Private keys come as bytes: a ratchet tree's keys are used
//! once or twice, and importing is most of nothing beside multiplying.

use crate::primitives::{forget_errors, x25519, x25519_public_key, Failure};
use aws_lc_rs::agreement::{self, agree, Algorithm, ParsedPublicKey, PrivateKey, UnparsedPublicKey};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    X25519,
    P256,
    P384,
    P521,
}

/// Bytes of the longest private key, shared secret and public key.
pub const SCALAR_MAX: usize = 66;
pub const POINT_MAX: usize = 133;

impl Group {
    pub fn scalar_size(self) -> usize {
        match self {
            Self::X25519 | Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Bytes of a public key: a coordinate, or an uncompressed point.
    pub fn point_size(self) -> usize {
        match self {
            Self::X25519 => 32,
            _ => 1 + 2 * self.scalar_size(),
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::X25519 => &agreement::X25519,
            Self::P256 => &agreement::ECDH_P256,
            Self::P384 => &agreement::ECDH_P384,
            Self::P521 => &agreement::ECDH_P521,
        }
    }

    /// `None` where the bytes are no private key of the group.
    pub fn private_key(self, bytes: &[u8]) -> Option<Private<'_>> {
        if let Self::X25519 = self {
            return Some(Private::X25519(bytes.try_into().ok()?));
        }
        let imported = PrivateKey::from_private_key(self.algorithm(), bytes).ok();
        if imported.is_none() {
            forget_errors();
        }
        imported.map(|key| Private::Nist(self, key))
    }

    /// Whether the bytes are an uncompressed point of a NIST curve.
    pub fn is_on_curve(self, point: &[u8]) -> bool {
        self.parse(point).is_some()
    }

    fn parse(self, point: &[u8]) -> Option<ParsedPublicKey> {
        if point.len() != self.point_size() || point[0] != 4 {
            return None;
        }
        let parsed = ParsedPublicKey::try_from(UnparsedPublicKey::new(self.algorithm(), point)).ok();
        if parsed.is_none() {
            forget_errors();
        }
        parsed
    }
}

/// A private key for the time of a call. aws-lc overwrites its own copy when it is dropped.
pub enum Private<'a> {
    X25519(&'a [u8; 32]),
    Nist(Group, PrivateKey),
}

impl Private<'_> {
    /// `output` has the size of a public key.
    pub fn public_key(&self, output: &mut [u8]) -> Result<(), Failure> {
        match self {
            Self::X25519(key) => {
                x25519_public_key(key, output.try_into().map_err(|_| Failure)?);
                Ok(())
            }
            Self::Nist(_, key) => {
                let public_key = key.compute_public_key().map_err(|_| Failure)?;
                if output.len() != public_key.as_ref().len() {
                    return Err(Failure);
                }
                output.copy_from_slice(public_key.as_ref());
                Ok(())
            }
        }
    }

    /// `false` where `peer` is no public key, or of low order. `output` has the size of a shared secret.
    pub fn multiply(&self, peer: &[u8], output: &mut [u8]) -> Result<bool, Failure> {
        match self {
            Self::X25519(key) => {
                let Ok(peer) = peer.try_into() else { return Ok(false) };
                Ok(x25519(key, peer, output.try_into().map_err(|_| Failure)?))
            }
            Self::Nist(group, key) => {
                if output.len() != group.scalar_size() {
                    return Err(Failure);
                }
                let Some(peer) = group.parse(peer) else {
                    return Ok(false);
                };
                let agreed = agree(key, peer, Failure, |secret| {
                    if secret.len() != output.len() {
                        return Err(Failure);
                    }
                    output.copy_from_slice(secret);
                    Ok(())
                });
                if agreed.is_err() {
                    forget_errors();
                }
                Ok(agreed.is_ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [Group; 4] = [Group::X25519, Group::P256, Group::P384, Group::P521];

    #[test]
    fn both_sides_agree() {
        for group in GROUPS {
            let (alice, bob) = (vec![1; group.scalar_size()], vec![2; group.scalar_size()]);
            let (alice, bob) = match group {
                // A scalar of P-521 has 521 bits.
                Group::P521 => ([&[0], &alice[1..]].concat(), [&[0], &bob[1..]].concat()),
                _ => (alice, bob),
            };
            let (alice, bob) = (group.private_key(&alice).unwrap(), group.private_key(&bob).unwrap());
            let mut public = [vec![0; group.point_size()], vec![0; group.point_size()]];
            alice.public_key(&mut public[0]).unwrap();
            bob.public_key(&mut public[1]).unwrap();
            let (mut one, mut other) = (vec![0; group.scalar_size()], vec![0; group.scalar_size()]);
            assert_eq!(alice.multiply(&public[1], &mut one), Ok(true));
            assert_eq!(bob.multiply(&public[0], &mut other), Ok(true));
            assert_eq!(one, other);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for group in GROUPS {
            assert!(group.private_key(&[1; 31]).is_none());
            assert!(group.private_key(&[]).is_none());
        }
        for group in [Group::P256, Group::P384, Group::P521] {
            assert!(group.private_key(&vec![0; group.scalar_size()]).is_none());
            assert!(group.private_key(&vec![0xff; group.scalar_size()]).is_none());
            assert!(!group.is_on_curve(&[]) && !group.is_on_curve(&[0]));
            assert!(!group.is_on_curve(&vec![4; group.point_size()]));
        }
        let mut product = [1; 32];
        assert_eq!(Private::X25519(&[9; 32]).multiply(&[0; 32], &mut product), Ok(false));
        assert_eq!(Private::X25519(&[9; 32]).multiply(&[0; 31], &mut product), Ok(false));
    }
}
