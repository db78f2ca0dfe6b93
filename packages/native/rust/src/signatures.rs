//! Ed25519 and ECDSA. What may be asked at all (canonical encodings, small order, strict DER) is decided before, in one
//! place for every provider.

use crate::groups::Group;
use crate::primitives::{ed25519_key_pair, ed25519_sign, ed25519_verify, forget_errors, Failure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, UnparsedPublicKey};
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Ed25519,
    P256,
    P384,
    P521,
}

impl Scheme {
    fn curve(
        self,
    ) -> Option<(
        Group,
        &'static EcdsaSigningAlgorithm,
        &'static EcdsaVerificationAlgorithm,
    )> {
        match self {
            Self::Ed25519 => None,
            Self::P256 => Some((
                Group::P256,
                &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
                &signature::ECDSA_P256_SHA256_ASN1,
            )),
            Self::P384 => Some((
                Group::P384,
                &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
                &signature::ECDSA_P384_SHA384_ASN1,
            )),
            Self::P521 => Some((
                Group::P521,
                &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
                &signature::ECDSA_P521_SHA512_ASN1,
            )),
        }
    }

    pub fn verify(self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let Some((group, _, algorithm)) = self.curve() else {
            let (Ok(public_key), Ok(signature)) = (public_key.try_into(), signature.try_into()) else {
                return false;
            };
            return ed25519_verify(public_key, message, signature);
        };
        // The library takes other spellings of a point, too.
        if public_key.len() != group.point_size() || public_key[0] != 4 {
            return false;
        }
        let verified = UnparsedPublicKey::new(algorithm, public_key)
            .verify(message, signature)
            .is_ok();
        if !verified {
            forget_errors();
        }
        verified
    }

    /// `None` where the bytes are no private key. `public_key` has its size.
    pub fn private_key(self, bytes: &[u8], public_key: &mut [u8]) -> Result<Option<PrivateKey>, Failure> {
        let Some((group, algorithm, _)) = self.curve() else {
            let Ok(seed) = bytes.try_into() else { return Ok(None) };
            let mut key = Box::new(Zeroizing::new([0; 64]));
            ed25519_key_pair(seed, public_key.try_into().map_err(|_| Failure)?, &mut key);
            return Ok(Some(PrivateKey::Ed25519(key)));
        };
        let Some(scalar) = group.private_key(bytes) else {
            return Ok(None);
        };
        scalar.public_key(public_key)?;
        let key = EcdsaKeyPair::from_private_key_and_public_key(algorithm, bytes, public_key).map_err(|_| Failure)?;
        Ok(Some(PrivateKey::Ecdsa(Box::new(key))))
    }
}

/// A key that signs. Dropping it overwrites it: here what is Ed25519's, in aws-lc's `OPENSSL_free` what is ECDSA's.
pub enum PrivateKey {
    Ed25519(Box<Zeroizing<[u8; 64]>>),
    Ecdsa(Box<EcdsaKeyPair>),
}

impl PrivateKey {
    /// Bytes of the signature, which is at the beginning of `output`.
    pub fn sign(&self, message: &[u8], output: &mut [u8]) -> Result<usize, Failure> {
        match self {
            Self::Ed25519(key) => {
                let output = output.first_chunk_mut::<64>().ok_or(Failure)?;
                ed25519_sign(key, message, output)?;
                Ok(64)
            }
            Self::Ecdsa(key) => {
                let signature = key.sign(&SystemRandom::new(), message).map_err(|_| Failure)?;
                let signature = signature.as_ref();
                let output = output.get_mut(..signature.len()).ok_or(Failure)?;
                output.copy_from_slice(signature);
                Ok(signature.len())
            }
        }
    }

    #[cfg(test)]
    pub fn test_key() -> Self {
        Self::Ed25519(Box::new(Zeroizing::new([7; 64])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: [Scheme; 4] = [Scheme::Ed25519, Scheme::P256, Scheme::P384, Scheme::P521];

    fn key(scheme: Scheme) -> (PrivateKey, Vec<u8>) {
        let (private, public) = match scheme {
            Scheme::Ed25519 => (32, 32),
            _ => {
                let group = scheme.curve().unwrap().0;
                (group.scalar_size(), group.point_size())
            }
        };
        let (mut bytes, mut public_key) = (vec![3; private], vec![0; public]);
        if scheme == Scheme::P521 {
            bytes[0] = 0;
        }
        (
            scheme.private_key(&bytes, &mut public_key).unwrap().unwrap(),
            public_key,
        )
    }

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        for scheme in SCHEMES {
            let (key, public_key) = key(scheme);
            let mut signature = [0; 160];
            let length = key.sign(b"message", &mut signature).unwrap();
            let signature = &mut signature[..length];
            assert!(scheme.verify(&public_key, b"message", signature));
            assert!(!scheme.verify(&public_key, b"massage", signature));
            assert!(!scheme.verify(&public_key[1..], b"message", signature));
            assert!(!scheme.verify(&[], b"message", signature));
            assert!(!scheme.verify(&public_key, b"message", &[]));
            signature[length / 2] ^= 1;
            assert!(!scheme.verify(&public_key, b"message", signature));
        }
    }

    #[test]
    fn an_output_that_is_too_short_is_refused() {
        for scheme in SCHEMES {
            assert_eq!(key(scheme).0.sign(b"message", &mut [0; 60]), Err(Failure));
        }
    }

    #[test]
    fn what_is_no_private_key_is_none() {
        assert!(Scheme::Ed25519.private_key(&[1; 31], &mut [0; 32]).unwrap().is_none());
        assert!(Scheme::P256.private_key(&[0; 32], &mut [0; 65]).unwrap().is_none());
        assert!(Scheme::P384.private_key(&[0xff; 48], &mut [0; 97]).unwrap().is_none());
    }
}
