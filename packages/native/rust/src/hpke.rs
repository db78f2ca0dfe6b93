//! HPKE (RFC 9180), base mode, one message: DHKEM, key schedule and AEAD in one call. The labels, and what is constant in
//! a suite, come from the caller; here they are bytes in front of other bytes.

use crate::batch::{threads_for, SHARE};
use crate::groups::{Group, Private, POINT_MAX, SCALAR_MAX};
use crate::primitives::{Aead, Failure, Hash, DIGEST_MAX, NONCE_SIZE, TAG_SIZE};
use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use zeroize::Zeroizing;

/// What stands in front of each step's input, in the caller's order.
#[derive(Clone, Copy)]
pub enum Label {
    /// §7.1.3, DeriveKeyPair: of the pseudorandom key, and of the private key or of its candidates.
    KeyPair,
    PrivateKey,
    /// §4.1, ExtractAndExpand.
    Extract,
    SharedSecret,
    /// §5.1, KeySchedule.
    Info,
    Secret,
    Key,
    BaseNonce,
    /// The mode and the hash of the pre-shared key's id, which stand before the hash of `info`.
    ContextHead,
}

const LABELS: usize = 9;

pub struct Suite {
    pub group: Group,
    /// DHKEM's hash, and the key schedule's.
    pub kem_hash: Hash,
    pub kdf_hash: Hash,
    pub aead: Aead,
    labels: Vec<u8>,
    spans: [Range<usize>; LABELS],
}

/// How one message fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The other side's key or ciphertext was refused.
    Refused,
    /// The caller's private key is none.
    NoPrivateKey,
}

/// `info`, or its hash where several messages share it.
#[derive(Clone, Copy)]
pub enum Info<'a> {
    Whole(&'a [u8]),
    Hash(&'a [u8]),
}

type Secret<const N: usize> = Zeroizing<[u8; N]>;

pub struct Sealing<'a> {
    pub public_key: &'a [u8],
    pub info: Info<'a>,
    pub authenticated: &'a [u8],
    pub plaintext: &'a [u8],
    pub ephemeral: &'a [u8],
    pub kem_output: &'a mut [u8],
    pub ciphertext: &'a mut [u8],
}

/// One of many who are sent something of their own with the same `info`.
pub struct Recipient<'a> {
    pub public_key: &'a [u8],
    pub plaintext: &'a [u8],
    pub ephemeral: &'a [u8],
    pub kem_output: &'a mut [u8],
    pub ciphertext: &'a mut [u8],
}

pub struct Opening<'a> {
    pub private_key: &'a [u8],
    /// Empty where it is to be computed.
    pub public_key: &'a [u8],
    pub kem_output: &'a [u8],
    pub info: Info<'a>,
    pub authenticated: &'a [u8],
    pub ciphertext: &'a [u8],
    pub plaintext: &'a mut [u8],
}

impl Suite {
    /// `packed`: each label after its length in four bytes, big endian. `None` where there are not as many as there
    /// should be.
    pub fn new(group: Group, kem_hash: Hash, kdf_hash: Hash, aead: Aead, packed: &[u8]) -> Option<Self> {
        let mut spans = [const { 0..0 }; LABELS];
        let mut at = 0;
        for span in &mut spans {
            let length = u32::from_be_bytes(packed.get(at..)?.first_chunk::<4>().copied()?) as usize;
            *span = at + 4..(at + 4).checked_add(length)?;
            at = span.end;
        }
        (at == packed.len()).then(|| Self {
            group,
            kem_hash,
            kdf_hash,
            aead,
            labels: packed.to_vec(),
            spans,
        })
    }

    fn label(&self, label: Label) -> &[u8] {
        &self.labels[self.spans[label as usize].clone()]
    }

    /// `kem_output` has the size of a public key; `ciphertext` is as long as the plaintext and the tag.
    pub fn seal(&self, message: Sealing) -> Result<Outcome, Failure> {
        let mut product: Secret<SCALAR_MAX> = Zeroizing::new([0; SCALAR_MAX]);
        let product = &mut product[..self.group.scalar_size()];
        if !self.exchange(message.ephemeral, message.public_key, message.kem_output, product)? {
            return Ok(Outcome::Refused);
        }
        let (key, nonce) = self.schedule(product, message.kem_output, message.public_key, message.info)?;
        let key = &key[..self.aead.key_size()];
        self.aead.seal(
            key,
            &*nonce,
            message.plaintext,
            message.authenticated,
            message.ciphertext,
        )?;
        Ok(Outcome::Done)
    }

    /// `plaintext` is shorter than the ciphertext by the tag, or empty where that is shorter than a tag.
    pub fn open(&self, message: Opening) -> Result<Outcome, Failure> {
        let Some(private_key) = self.group.private_key(message.private_key) else {
            return Ok(Outcome::NoPrivateKey);
        };
        let mut product: Secret<SCALAR_MAX> = Zeroizing::new([0; SCALAR_MAX]);
        let product = &mut product[..self.group.scalar_size()];
        if message.ciphertext.len() < TAG_SIZE || !private_key.multiply(message.kem_output, product)? {
            return Ok(Outcome::Refused);
        }
        let mut own = [0; POINT_MAX];
        let public_key = if message.public_key.is_empty() {
            let own = &mut own[..self.group.point_size()];
            private_key.public_key(own)?;
            own
        } else {
            message.public_key
        };
        let (key, nonce) = self.schedule(product, message.kem_output, public_key, message.info)?;
        let key = &key[..self.aead.key_size()];
        let opened = self.aead.open(
            key,
            &*nonce,
            message.ciphertext,
            message.authenticated,
            message.plaintext,
        )?;
        Ok(if opened { Outcome::Done } else { Outcome::Refused })
    }

    /// Seals to every recipient, on at most so many threads; 0 means one for each core.
    pub fn seal_all(
        &self,
        info: Info,
        authenticated: &[u8],
        recipients: &mut [Recipient<'_>],
        threads: usize,
    ) -> Result<Outcome, Failure> {
        let mut hashed = [0; DIGEST_MAX];
        let info = match info {
            Info::Whole(info) => {
                let hashed = &mut hashed[..self.kdf_hash.size()];
                self.kdf_hash.hmac(&[], &[self.label(Label::Info), info], hashed)?;
                Info::Hash(hashed)
            }
            hash => hash,
        };
        let threads = threads_for(recipients.len(), threads);
        let shares = Mutex::new(recipients.chunks_mut(SHARE));
        let work = || -> Result<Outcome, Failure> {
            loop {
                let share = shares.lock().map_err(|_| Failure)?.next();
                let Some(share) = share else { return Ok(Outcome::Done) };
                for recipient in share {
                    let outcome = self.seal(Sealing {
                        public_key: recipient.public_key,
                        info,
                        authenticated,
                        plaintext: recipient.plaintext,
                        ephemeral: recipient.ephemeral,
                        kem_output: &mut *recipient.kem_output,
                        ciphertext: &mut *recipient.ciphertext,
                    })?;
                    if outcome != Outcome::Done {
                        return Ok(outcome);
                    }
                }
            }
        };
        thread::scope(|scope| {
            let mut started = Vec::new();
            for _ in 1..threads {
                // Where the system gives no thread, the others do its share.
                started.extend(thread::Builder::new().spawn_scoped(scope, work));
            }
            let mut result = work();
            for thread in started {
                // A panic in a thread is a failure.
                let other = thread.join().unwrap_or(Err(Failure));
                if result == Ok(Outcome::Done) {
                    result = other;
                }
            }
            result
        })
    }

    /// §7.1.3, DeriveKeyPair. The outputs have the sizes of keys.
    pub fn key_pair(&self, material: &[u8], private_key: &mut [u8], public_key: &mut [u8]) -> Result<(), Failure> {
        self.derive(material, private_key, |key| key.public_key(public_key))
    }

    /// §4.1, Encap up to the product: the key pair that follows from `ephemeral`, and its product with `peer`.
    fn exchange(
        &self,
        ephemeral: &[u8],
        peer: &[u8],
        public_key: &mut [u8],
        product: &mut [u8],
    ) -> Result<bool, Failure> {
        let mut bytes: Secret<SCALAR_MAX> = Zeroizing::new([0; SCALAR_MAX]);
        let bytes = &mut bytes[..self.group.scalar_size()];
        self.derive(ephemeral, bytes, |private_key| {
            private_key.public_key(public_key)?;
            private_key.multiply(peer, product)
        })
    }

    /// §7.1.3: the private key that follows from `material`, written to `bytes`.
    fn derive<T>(
        &self,
        material: &[u8],
        bytes: &mut [u8],
        with: impl FnOnce(Private<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let hash = self.kem_hash;
        let mut pseudorandom: Secret<DIGEST_MAX> = Zeroizing::new([0; DIGEST_MAX]);
        let pseudorandom = &mut pseudorandom[..hash.size()];
        hash.hmac(&[], &[self.label(Label::KeyPair), material], pseudorandom)?;
        if bytes.len() != self.group.scalar_size() {
            return Err(Failure);
        }
        for counter in 0..=u8::MAX {
            let label = self.label(Label::PrivateKey);
            match self.group {
                Group::X25519 => expand(hash, pseudorandom, &[label], bytes)?,
                _ => expand(hash, pseudorandom, &[label, &[counter]], bytes)?,
            }
            if self.group == Group::P521 {
                bytes[0] &= 1;
            }
            if let Some(private_key) = self.group.private_key(bytes) {
                return with(private_key);
            }
        }
        Err(Failure)
    }

    /// §4.1, ExtractAndExpand, and §5.1: the key and the base nonce, which is the first message's nonce.
    fn schedule(
        &self,
        product: &[u8],
        kem_output: &[u8],
        public_key: &[u8],
        info: Info,
    ) -> Result<(Secret<DIGEST_MAX>, Secret<NONCE_SIZE>), Failure> {
        let (kem, kdf) = (self.kem_hash, self.kdf_hash);
        let mut extracted: Secret<DIGEST_MAX> = Zeroizing::new([0; DIGEST_MAX]);
        let extracted = &mut extracted[..kem.size()];
        kem.hmac(&[], &[self.label(Label::Extract), product], extracted)?;
        let mut shared: Secret<DIGEST_MAX> = Zeroizing::new([0; DIGEST_MAX]);
        let shared = &mut shared[..kem.size()];
        expand(
            kem,
            extracted,
            &[self.label(Label::SharedSecret), kem_output, public_key],
            shared,
        )?;

        let mut hashed = [0; DIGEST_MAX];
        let hashed = &mut hashed[..kdf.size()];
        let info = match info {
            Info::Whole(info) => {
                kdf.hmac(&[], &[self.label(Label::Info), info], hashed)?;
                hashed
            }
            Info::Hash(hash) => hash,
        };
        let mut secret: Secret<DIGEST_MAX> = Zeroizing::new([0; DIGEST_MAX]);
        let secret = &mut secret[..kdf.size()];
        kdf.hmac(shared, &[self.label(Label::Secret)], secret)?;
        let context = self.label(Label::ContextHead);
        let mut key = Zeroizing::new([0; DIGEST_MAX]);
        let size = self.aead.key_size();
        expand(kdf, secret, &[self.label(Label::Key), context, info], &mut key[..size])?;
        let mut nonce = Zeroizing::new([0; NONCE_SIZE]);
        expand(kdf, secret, &[self.label(Label::BaseNonce), context, info], &mut *nonce)?;
        Ok((key, nonce))
    }
}

/// RFC 5869 §2.3. Two blocks are enough: P-521's private keys are 66 bytes, from a hash of 64.
fn expand(hash: Hash, pseudorandom: &[u8], info: &[&[u8]], output: &mut [u8]) -> Result<(), Failure> {
    let mut block: Secret<DIGEST_MAX> = Zeroizing::new([0; DIGEST_MAX]);
    let mut previous: Secret<DIGEST_MAX> = Zeroizing::new([0; DIGEST_MAX]);
    for (index, piece) in output.chunks_mut(hash.size()).enumerate() {
        let number = [index as u8 + 1];
        let mut parts: [&[u8]; 5] = [&[]; 5];
        if index > 0 {
            parts[0] = &previous[..hash.size()];
        }
        parts.get_mut(1..1 + info.len()).ok_or(Failure)?.copy_from_slice(info);
        parts[4] = &number;
        hash.hmac(pseudorandom, &parts, &mut block[..hash.size()])?;
        piece.copy_from_slice(&block[..piece.len()]);
        *previous = *block;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(labels: usize) -> Vec<u8> {
        (0..labels).flat_map(|i| [0, 0, 0, 1, i as u8]).collect()
    }

    fn suite(group: Group, packed: &[u8]) -> Option<Suite> {
        Suite::new(group, Hash::Sha256, Hash::Sha256, Aead::Aes128Gcm, packed)
    }

    #[test]
    fn labels_are_as_many_as_there_are_steps() {
        assert!(suite(Group::X25519, &packed(9)).is_some());
        for wrong in [packed(8), packed(10), packed(9)[1..].to_vec(), vec![0xff; 36], vec![]] {
            assert!(suite(Group::X25519, &wrong).is_none());
        }
    }

    #[test]
    fn what_is_sealed_opens_with_and_without_the_public_key() {
        for group in [Group::X25519, Group::P256, Group::P384, Group::P521] {
            let suite = suite(group, &packed(9)).unwrap();
            let mut private_key = vec![1; group.scalar_size()];
            private_key[0] = 0;
            let mut public_key = vec![0; group.point_size()];
            group
                .private_key(&private_key)
                .unwrap()
                .public_key(&mut public_key)
                .unwrap();
            let (mut kem_output, mut ciphertext) = (vec![0; group.point_size()], vec![0; 20]);
            let mut seal = |public_key: &[u8]| {
                suite.seal(Sealing {
                    public_key,
                    info: Info::Whole(b"info"),
                    authenticated: b"data",
                    plaintext: b"text",
                    ephemeral: b"ephemeral",
                    kem_output: &mut kem_output,
                    ciphertext: &mut ciphertext,
                })
            };
            assert_eq!(seal(&public_key[1..]), Ok(Outcome::Refused));
            assert_eq!(seal(&public_key), Ok(Outcome::Done));
            let open = |private_key: &[u8], public_key: &[u8], ciphertext: &[u8]| {
                let mut plaintext = vec![0; ciphertext.len().saturating_sub(16)];
                let outcome = suite.open(Opening {
                    private_key,
                    public_key,
                    kem_output: &kem_output,
                    info: Info::Whole(b"info"),
                    authenticated: b"data",
                    ciphertext,
                    plaintext: &mut plaintext,
                });
                (outcome.unwrap(), plaintext)
            };
            assert_eq!(
                open(&private_key, &public_key, &ciphertext),
                (Outcome::Done, b"text".to_vec())
            );
            assert_eq!(open(&private_key, &[], &ciphertext), (Outcome::Done, b"text".to_vec()));
            assert_eq!(open(&private_key, &[], &ciphertext[..15]).0, Outcome::Refused);
            assert_eq!(open(&private_key[1..], &[], &ciphertext).0, Outcome::NoPrivateKey);
            let mut forged = ciphertext.clone();
            forged[0] ^= 1;
            assert_eq!(open(&private_key, &[], &forged), (Outcome::Refused, vec![0; 4]));
        }
    }

    #[test]
    fn what_is_sealed_to_many_is_what_is_sealed_to_each() {
        for group in [Group::X25519, Group::P256] {
            let suite = suite(group, &packed(9)).unwrap();
            let (mut private_key, mut public_key) = (vec![0; group.scalar_size()], vec![0; group.point_size()]);
            suite.key_pair(b"material", &mut private_key, &mut public_key).unwrap();
            let ephemerals: Vec<[u8; 32]> = (0..70).map(|i| [i; 32]).collect();
            for threads in [0, 1, 2, 100] {
                let mut outputs = vec![(vec![0; group.point_size()], vec![0; 20]); ephemerals.len()];
                let mut seal = |wrong: Option<usize>| {
                    let recipients = outputs.iter_mut().zip(&ephemerals).enumerate();
                    let mut recipients: Vec<_> = recipients
                        .map(|(i, ((kem_output, ciphertext), ephemeral))| Recipient {
                            public_key: if wrong == Some(i) { &public_key[1..] } else { &public_key },
                            plaintext: b"text",
                            ephemeral,
                            kem_output,
                            ciphertext,
                        })
                        .collect();
                    suite.seal_all(Info::Whole(b"info"), b"data", &mut recipients, threads)
                };
                assert_eq!(seal(Some(69)), Ok(Outcome::Refused));
                assert_eq!(seal(Some(0)), Ok(Outcome::Refused));
                assert_eq!(seal(None), Ok(Outcome::Done));
                for ((kem_output, ciphertext), ephemeral) in outputs.iter().zip(&ephemerals) {
                    let (mut own_output, mut own_ciphertext) = (vec![0; group.point_size()], vec![0; 20]);
                    let sealed = suite.seal(Sealing {
                        public_key: &public_key,
                        info: Info::Whole(b"info"),
                        authenticated: b"data",
                        plaintext: b"text",
                        ephemeral,
                        kem_output: &mut own_output,
                        ciphertext: &mut own_ciphertext,
                    });
                    assert_eq!(sealed, Ok(Outcome::Done));
                    assert_eq!((kem_output, ciphertext), (&own_output, &own_ciphertext));
                }
            }
            assert_eq!(suite.seal_all(Info::Whole(b""), b"", &mut [], 0), Ok(Outcome::Done));
            assert_eq!(suite.key_pair(b"", &mut private_key[1..], &mut public_key), Err(Failure));
            assert_eq!(suite.key_pair(b"", &mut private_key, &mut public_key[1..]), Err(Failure));
        }
    }

    #[test]
    fn more_than_a_block_is_expanded() {
        let mut long = [0; 66];
        expand(Hash::Sha256, &[1; 32], &[b"info"], &mut long).unwrap();
        let mut short = [0; 32];
        expand(Hash::Sha256, &[1; 32], &[b"info"], &mut short).unwrap();
        assert_eq!(long[..32], short);
        assert_ne!(long[32..64], long[..32]);
        assert_ne!(long[64..], [0, 0]);
    }
}
