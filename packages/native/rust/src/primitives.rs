//! The one-shot functions of aws-lc that take no memory of their own: hashes, HMAC, AEADs, curve 25519. `aws-lc-rs`
//! allocates for each of these calls, so they are called directly; each `unsafe` here hands pointers and lengths of slices
//! to a function that reads and writes no further.

use aws_lc_sys as lc;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

/// The library refused, or had no memory.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure;

fn succeeded(result: i32) -> Result<(), Failure> {
    if result == 1 {
        Ok(())
    } else {
        Err(Failure)
    }
}

/// Overwrites secrets, in a way that no compiler leaves out.
pub fn cleanse(secret: &mut [u8]) {
    // SAFETY: the slice's own memory.
    unsafe { lc::OPENSSL_cleanse(secret.as_mut_ptr().cast(), secret.len()) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// Bytes of the longest digest.
pub const DIGEST_MAX: usize = 64;

impl Hash {
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// `output` has the digest's size.
    pub fn digest(self, message: &[u8], output: &mut [u8]) -> Result<(), Failure> {
        if output.len() != self.size() {
            return Err(Failure);
        }
        let one_shot = match self {
            Self::Sha256 => lc::SHA256,
            Self::Sha384 => lc::SHA384,
            Self::Sha512 => lc::SHA512,
        };
        // SAFETY: reads `message`, and writes the digest's size to `output`, which has it.
        unsafe { one_shot(message.as_ptr(), message.len(), output.as_mut_ptr()) };
        Ok(())
    }

    /// HMAC (RFC 2104) of the concatenation of `parts`. `output` has the digest's size.
    pub fn hmac(self, key: &[u8], parts: &[&[u8]], output: &mut [u8]) -> Result<(), Failure> {
        if output.len() != self.size() {
            return Err(Failure);
        }
        let mut context = HmacContext::new();
        let context = context.0.as_mut_ptr();
        let mut written = 0;
        // SAFETY: the context is initialised and cleaned up by `HmacContext`; every pointer comes with its slice's length;
        // `output` has the digest's size.
        unsafe {
            let algorithm = match self {
                Self::Sha256 => lc::EVP_sha256(),
                Self::Sha384 => lc::EVP_sha384(),
                Self::Sha512 => lc::EVP_sha512(),
            };
            succeeded(lc::HMAC_Init_ex(
                context,
                key.as_ptr().cast(),
                key.len(),
                algorithm,
                ptr::null_mut(),
            ))?;
            for part in parts {
                succeeded(lc::HMAC_Update(context, part.as_ptr(), part.len()))?;
            }
            succeeded(lc::HMAC_Final(context, output.as_mut_ptr(), &mut written))
        }
    }
}

/// HMAC's context, on the stack; cleaning up overwrites what came from the key.
struct HmacContext(MaybeUninit<lc::HMAC_CTX>);

impl HmacContext {
    fn new() -> Self {
        let mut context = MaybeUninit::uninit();
        // SAFETY: initialises what it is given.
        unsafe { lc::HMAC_CTX_init(context.as_mut_ptr()) };
        Self(context)
    }
}

impl Drop for HmacContext {
    fn drop(&mut self) {
        // SAFETY: `new` has initialised it.
        unsafe { lc::HMAC_CTX_cleanup(self.0.as_mut_ptr()) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aead {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

pub const NONCE_SIZE: usize = 12;
pub const TAG_SIZE: usize = 16;

impl Aead {
    pub fn key_size(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// `output` is as long as the plaintext and the tag.
    pub fn seal(
        self,
        key: &[u8],
        nonce: &[u8],
        plaintext: &[u8],
        authenticated: &[u8],
        output: &mut [u8],
    ) -> Result<(), Failure> {
        if nonce.len() != NONCE_SIZE || output.len() != plaintext.len() + TAG_SIZE {
            return Err(Failure);
        }
        let context = AeadContext::new(self, key)?;
        let mut written = 0;
        // SAFETY: every pointer comes with its slice's length, `output` with how much it holds.
        succeeded(unsafe {
            lc::EVP_AEAD_CTX_seal(
                context.0.as_ptr(),
                output.as_mut_ptr(),
                &mut written,
                output.len(),
                nonce.as_ptr(),
                nonce.len(),
                plaintext.as_ptr(),
                plaintext.len(),
                authenticated.as_ptr(),
                authenticated.len(),
            )
        })
    }

    /// Whether the ciphertext is authentic. `output` is shorter than it by the tag, and overwritten with zeros where it
    /// is not.
    pub fn open(
        self,
        key: &[u8],
        nonce: &[u8],
        ciphertext: &[u8],
        authenticated: &[u8],
        output: &mut [u8],
    ) -> Result<bool, Failure> {
        if nonce.len() != NONCE_SIZE || ciphertext.len() != output.len() + TAG_SIZE {
            return Err(Failure);
        }
        let context = AeadContext::new(self, key)?;
        let mut written = 0;
        // SAFETY: as for `seal`.
        let opened = succeeded(unsafe {
            lc::EVP_AEAD_CTX_open(
                context.0.as_ptr(),
                output.as_mut_ptr(),
                &mut written,
                output.len(),
                nonce.as_ptr(),
                nonce.len(),
                ciphertext.as_ptr(),
                ciphertext.len(),
                authenticated.as_ptr(),
                authenticated.len(),
            )
        });
        if opened.is_err() {
            cleanse(output);
            forget_errors();
        }
        Ok(opened.is_ok())
    }
}

/// An AEAD's context with its key schedule, on the stack; overwritten afterwards, which the library leaves to its owner.
struct AeadContext(MaybeUninit<lc::EVP_AEAD_CTX>);

impl AeadContext {
    fn new(aead: Aead, key: &[u8]) -> Result<Self, Failure> {
        if key.len() != aead.key_size() {
            return Err(Failure);
        }
        let mut context = Self(MaybeUninit::zeroed());
        // SAFETY: the context is zeroed, which is its empty state; `key` has the length that is passed.
        succeeded(unsafe {
            let algorithm = match aead {
                Aead::Aes128Gcm => lc::EVP_aead_aes_128_gcm(),
                Aead::Aes256Gcm => lc::EVP_aead_aes_256_gcm(),
                Aead::ChaCha20Poly1305 => lc::EVP_aead_chacha20_poly1305(),
            };
            lc::EVP_AEAD_CTX_init(
                context.0.as_mut_ptr(),
                algorithm,
                key.as_ptr(),
                key.len(),
                TAG_SIZE,
                ptr::null_mut(),
            )
        })?;
        Ok(context)
    }
}

impl Drop for AeadContext {
    fn drop(&mut self) {
        let context = self.0.as_mut_ptr();
        // SAFETY: initialised, or zeroed; its memory is its own.
        unsafe {
            lc::EVP_AEAD_CTX_cleanup(context);
            lc::OPENSSL_cleanse(context.cast::<c_void>(), size_of::<lc::EVP_AEAD_CTX>());
        }
    }
}

/// The library keeps a queue of errors for each thread, and nobody reads it here.
pub fn forget_errors() {
    // SAFETY: concerns this thread's queue alone.
    unsafe { lc::ERR_clear_error() }
}

/// Fills `output` from the library's generator, which the operating system seeds.
pub fn random(output: &mut [u8]) -> Result<(), Failure> {
    // SAFETY: the slice's own memory.
    succeeded(unsafe { lc::RAND_bytes(output.as_mut_ptr(), output.len()) })
}

pub fn x25519_public_key(private_key: &[u8; 32], public_key: &mut [u8; 32]) {
    // SAFETY: both are 32 bytes.
    unsafe { lc::X25519_public_from_private(public_key.as_mut_ptr(), private_key.as_ptr()) }
}

/// `false` for a peer of low order: the product is then zero.
pub fn x25519(private_key: &[u8; 32], peer: &[u8; 32], product: &mut [u8; 32]) -> bool {
    // SAFETY: all three are 32 bytes.
    let multiplied = unsafe { lc::X25519(product.as_mut_ptr(), private_key.as_ptr(), peer.as_ptr()) };
    multiplied == 1
}

/// Of RFC 8032's private key, the one that the library signs with: the seed and the public key.
pub fn ed25519_key_pair(seed: &[u8; 32], public_key: &mut [u8; 32], private_key: &mut [u8; 64]) {
    // SAFETY: 32, 64 and 32 bytes, as the function wants them.
    unsafe { lc::ED25519_keypair_from_seed(public_key.as_mut_ptr(), private_key.as_mut_ptr(), seed.as_ptr()) }
}

pub fn ed25519_sign(private_key: &[u8; 64], message: &[u8], signature: &mut [u8; 64]) -> Result<(), Failure> {
    // SAFETY: 64 and 64 bytes, and `message` with its length.
    succeeded(unsafe {
        lc::ED25519_sign(
            signature.as_mut_ptr(),
            message.as_ptr(),
            message.len(),
            private_key.as_ptr(),
        )
    })
}

pub fn ed25519_verify(public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    // SAFETY: 32 and 64 bytes, and `message` with its length.
    let verified =
        unsafe { lc::ED25519_verify(message.as_ptr(), message.len(), signature.as_ptr(), public_key.as_ptr()) };
    if verified != 1 {
        forget_errors();
    }
    verified == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert_eq!(Hash::Sha256.digest(b"", &mut [0; 31]), Err(Failure));
        assert_eq!(Hash::Sha384.hmac(b"", &[], &mut [0; 32]), Err(Failure));
        let aead = Aead::Aes128Gcm;
        for (key, nonce, output) in [(15, 12, 20), (32, 12, 20), (16, 11, 20), (16, 12, 19), (16, 12, 21)] {
            let mut output = vec![0; output];
            assert_eq!(
                aead.seal(&vec![0; key], &vec![0; nonce], b"text", b"", &mut output),
                Err(Failure)
            );
        }
        assert_eq!(aead.open(&[0; 16], &[0; 12], &[0; 20], b"", &mut [0; 5]), Err(Failure));
        assert_eq!(aead.open(&[0; 16], &[0; 12], &[0; 15], b"", &mut []), Err(Failure));
    }

    #[test]
    fn what_is_sealed_opens_and_what_is_forged_leaves_zeros() {
        for aead in [Aead::Aes128Gcm, Aead::Aes256Gcm, Aead::ChaCha20Poly1305] {
            let key = vec![7; aead.key_size()];
            for length in [0, 1, 16, 1000] {
                let plaintext = vec![5; length];
                let mut sealed = vec![0; length + TAG_SIZE];
                aead.seal(&key, &[1; 12], &plaintext, b"data", &mut sealed).unwrap();
                let mut opened = vec![0; length];
                assert_eq!(aead.open(&key, &[1; 12], &sealed, b"data", &mut opened), Ok(true));
                assert_eq!(opened, plaintext);
                sealed[length] ^= 1;
                assert_eq!(aead.open(&key, &[1; 12], &sealed, b"data", &mut opened), Ok(false));
                assert_eq!(opened, vec![0; length]);
            }
        }
    }

    #[test]
    fn the_parts_of_an_hmac_are_one_text() {
        for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            let (mut whole, mut parts) = (vec![0; hash.size()], vec![0; hash.size()]);
            hash.hmac(b"key", &[b"one two"], &mut whole).unwrap();
            hash.hmac(b"key", &[b"one", b"", b" two"], &mut parts).unwrap();
            assert_eq!(whole, parts);
        }
    }
}
