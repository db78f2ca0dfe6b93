//! Many inputs in one call, each made of pieces of a few memories, so that nothing has to be put together in JavaScript.

use crate::boundary::Refusal;
use crate::primitives::{cleanse, Hash, DIGEST_MAX};

const MALFORMED: Refusal = Refusal::Range("a row does not fit the memory that it speaks of");

/// Numbers of 32 bits in the machine's order, as a `Uint32Array` has them.
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn take(&mut self) -> Result<usize, Refusal> {
        let (word, rest) = self.rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        self.rest = rest;
        Ok(u32::from_ne_bytes(*word) as usize)
    }

    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

/// `length` bytes from `at` on.
pub fn piece(memory: &[u8], at: usize, length: usize) -> Result<&[u8], Refusal> {
    memory
        .get(at..at.checked_add(length).ok_or(MALFORMED)?)
        .ok_or(MALFORMED)
}

/// A digest for each row. A row is the place among the digests that it is for, how many pieces are hashed, and where each of
/// them begins and how long it is. Places are counted through `memory`, then `beside`, then `digests`: a digest may be taken
/// of those of earlier rows. No piece reaches from one memory into the next, and no row is longer than all three.
pub fn digest_all(
    hash: Hash,
    memory: &[u8],
    beside: &[u8],
    rows: &[u8],
    digests: &mut [u8],
) -> Result<(), Refusal> {
    let size = hash.size();
    let length_max = memory.len() + beside.len() + digests.len();
    let mut text = Vec::new();
    let mut digest = [0; DIGEST_MAX];
    let mut words = Words::new(rows);
    while !words.is_done() {
        let (place, pieces) = (words.take()?, words.take()?);
        text.clear();
        for _ in 0..pieces {
            let (at, length) = (words.take()?, words.take()?);
            let part = if at < memory.len() {
                piece(memory, at, length)?
            } else if at - memory.len() < beside.len() {
                piece(beside, at - memory.len(), length)?
            } else {
                piece(digests, at - memory.len() - beside.len(), length)?
            };
            if part.len() > length_max - text.len() {
                return Err(MALFORMED);
            }
            text.extend_from_slice(part);
        }
        hash.digest(&text, &mut digest[..size])?;
        let start = place.checked_mul(size).ok_or(MALFORMED)?;
        let output = digests.get_mut(start..start.checked_add(size).ok_or(MALFORMED)?);
        output.ok_or(MALFORMED)?.copy_from_slice(&digest[..size]);
    }
    Ok(())
}

/// An HMAC of each text, under one key. Texts come each after its length in four bytes, big endian; the HMACs have room for
/// one of each.
pub fn hmac_all(hash: Hash, key: &[u8], texts: &[u8], outputs: &mut [u8]) -> Result<(), Refusal> {
    let mut rest = texts;
    for output in outputs.chunks_mut(hash.size()) {
        let (length, behind) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        let (text, behind) = behind
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .ok_or(MALFORMED)?;
        rest = behind;
        if output.len() != hash.size() {
            return Err(MALFORMED);
        }
        if let Err(failure) = hash.hmac(key, &[text], output) {
            cleanse(outputs);
            return Err(failure.into());
        }
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(MALFORMED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
    }

    fn of(parts: &[&[u8]]) -> [u8; 32] {
        let mut digest = [0; 32];
        Hash::Sha256.digest(&parts.concat(), &mut digest).unwrap();
        digest
    }

    #[test]
    fn digests_are_of_pieces_and_of_earlier_digests() {
        let (memory, beside) = (b"abcdef", b"xy");
        let mut digests = [0; 96];
        let rows = words(&[2, 2, 1, 3, 6, 2, /**/ 0, 0, /**/ 1, 3, 0, 1, 8 + 64, 32, 8, 32]);
        digest_all(Hash::Sha256, memory, beside, &rows, &mut digests).unwrap();
        assert_eq!(digests[64..], of(&[b"bcd", b"xy"]));
        assert_eq!(digests[..32], of(&[]));
        assert_eq!(digests[32..64], of(&[b"a", &of(&[b"bcd", b"xy"]), &of(&[])]));
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let (memory, beside) = (b"abcdef", b"xy");
        for wrong in [
            &[0u32][..],
            &[0, 1][..],
            &[0, 1, 0][..],
            // From one memory into the next, and beyond the last.
            &[0, 1, 5, 2],
            &[0, 1, 7, 2],
            &[0, 1, 8, 33],
            &[0, 1, u32::MAX, u32::MAX],
            &[0, u32::MAX, 0, 6],
            // A place that is none.
            &[1, 1, 0, 6],
            &[u32::MAX, 1, 0, 6],
            // Longer than everything there is.
            &[0, 7, 0, 6, 0, 6, 0, 6, 0, 6, 0, 6, 0, 6, 0, 6],
        ] {
            let refused = digest_all(Hash::Sha256, memory, beside, &words(wrong), &mut [0; 32]);
            assert!(refused.is_err(), "{wrong:?}");
        }
        assert!(digest_all(Hash::Sha256, memory, beside, &words(&[0, 1, 0, 6])[..15], &mut [0; 32]).is_err());
    }

    #[test]
    fn hmacs_are_those_of_each_text() {
        let texts = [0, 0, 0, 3, b'o', b'n', b'e', 0, 0, 0, 0, 0, 0, 0, 2, b't', b'w'];
        let mut outputs = [0; 96];
        hmac_all(Hash::Sha256, b"key", &texts, &mut outputs).unwrap();
        for (output, text) in outputs.chunks(32).zip([&b"one"[..], b"", b"tw"]) {
            let mut expected = [0; 32];
            Hash::Sha256.hmac(b"key", &[text], &mut expected).unwrap();
            assert_eq!(output, expected);
        }
        for (texts, size) in [(&texts[..16], 96), (&texts[..], 64), (&texts[..], 128), (&texts[..], 95), (&[], 32)] {
            assert!(hmac_all(Hash::Sha256, b"key", texts, &mut vec![0; size]).is_err());
        }
        assert!(hmac_all(Hash::Sha256, b"key", &[0xff; 8], &mut [0; 32]).is_err());
        assert!(hmac_all(Hash::Sha256, b"key", &[], &mut []).is_ok());
    }
}
