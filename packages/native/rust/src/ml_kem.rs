//! ML-KEM-768 (FIPS 203): key pairs from a seed, encapsulation from a seed, decapsulation.

use crate::primitives::{forget_errors, Failure};
use aws_lc_sys as lc;
use std::ptr;

pub const KEY_SEED_SIZE: usize = 64;
pub const ENCAPSULATION_SEED_SIZE: usize = 32;
pub const PUBLIC_KEY_SIZE: usize = 1184;
pub const PRIVATE_KEY_SIZE: usize = 2400;
pub const CIPHERTEXT_SIZE: usize = 1088;
pub const SECRET_SIZE: usize = 32;

/// FIPS 203 §7.1. `seed` is d and z. aws-lc overwrites its copy of the private key when it is freed.
pub fn key_pair(
    seed: &[u8; KEY_SEED_SIZE],
    public_key: &mut [u8; PUBLIC_KEY_SIZE],
    private_key: &mut [u8; PRIVATE_KEY_SIZE],
) -> Result<(), Failure> {
    // SAFETY: contexts and keys are owned by guards; each output has the size of what is written to it, and the library
    // is told so.
    unsafe {
        let context = Context(lc::EVP_PKEY_CTX_new_id(lc::EVP_PKEY_KEM, ptr::null_mut()));
        if context.0.is_null()
            || lc::EVP_PKEY_CTX_kem_set_params(context.0, lc::NID_MLKEM768) != 1
            || lc::EVP_PKEY_keygen_init(context.0) != 1
        {
            return fail();
        }
        let mut key = Key(ptr::null_mut());
        let mut seed_size = seed.len();
        if lc::EVP_PKEY_keygen_deterministic(context.0, &mut key.0, seed.as_ptr(), &mut seed_size) != 1 {
            return fail();
        }
        let (mut public_size, mut private_size) = (public_key.len(), private_key.len());
        if lc::EVP_PKEY_get_raw_public_key(key.0, public_key.as_mut_ptr(), &mut public_size) != 1
            || lc::EVP_PKEY_get_raw_private_key(key.0, private_key.as_mut_ptr(), &mut private_size) != 1
        {
            return fail();
        }
        Ok(())
    }
}

/// FIPS 203 §7.2. `Err` for a public key whose coefficients are not reduced.
pub fn encapsulate(
    public_key: &[u8; PUBLIC_KEY_SIZE],
    seed: &[u8; ENCAPSULATION_SEED_SIZE],
    ciphertext: &mut [u8; CIPHERTEXT_SIZE],
    secret: &mut [u8; SECRET_SIZE],
) -> Result<(), Failure> {
    // SAFETY: as above.
    unsafe {
        let key = Key(lc::EVP_PKEY_kem_new_raw_public_key(
            lc::NID_MLKEM768,
            public_key.as_ptr(),
            public_key.len(),
        ));
        let Some(context) = key.context() else { return fail() };
        let (mut ciphertext_size, mut secret_size, mut seed_size) = (ciphertext.len(), secret.len(), seed.len());
        let encapsulated = lc::EVP_PKEY_encapsulate_deterministic(
            context.0,
            ciphertext.as_mut_ptr(),
            &mut ciphertext_size,
            secret.as_mut_ptr(),
            &mut secret_size,
            seed.as_ptr(),
            &mut seed_size,
        );
        if encapsulated != 1 {
            return fail();
        }
        Ok(())
    }
}

/// FIPS 203 §7.3. A ciphertext that was not made for the key gives a secret that nobody else has. `Err` for a private key
/// whose hash of its public key is wrong.
pub fn decapsulate(
    private_key: &[u8; PRIVATE_KEY_SIZE],
    ciphertext: &[u8; CIPHERTEXT_SIZE],
    secret: &mut [u8; SECRET_SIZE],
) -> Result<(), Failure> {
    // SAFETY: as above.
    unsafe {
        let key = Key(lc::EVP_PKEY_kem_new_raw_secret_key(
            lc::NID_MLKEM768,
            private_key.as_ptr(),
            private_key.len(),
        ));
        let Some(context) = key.context() else { return fail() };
        let mut secret_size = secret.len();
        let decapsulated = lc::EVP_PKEY_decapsulate(
            context.0,
            secret.as_mut_ptr(),
            &mut secret_size,
            ciphertext.as_ptr(),
            ciphertext.len(),
        );
        if decapsulated != 1 {
            return fail();
        }
        Ok(())
    }
}

fn fail() -> Result<(), Failure> {
    forget_errors();
    Err(Failure)
}

struct Key(*mut lc::EVP_PKEY);

impl Key {
    fn context(&self) -> Option<Context> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the key is alive; the context holds a reference of its own to it.
        let context = Context(unsafe { lc::EVP_PKEY_CTX_new(self.0, ptr::null_mut()) });
        (!context.0.is_null()).then_some(context)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: owned, or null.
        unsafe { lc::EVP_PKEY_free(self.0) }
    }
}

struct Context(*mut lc::EVP_PKEY_CTX);

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: owned, or null.
        unsafe { lc::EVP_PKEY_CTX_free(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_have_the_same_secret_and_a_forged_ciphertext_gives_another() {
        let (mut public_key, mut private_key) = ([0; PUBLIC_KEY_SIZE], [0; PRIVATE_KEY_SIZE]);
        key_pair(&[1; 64], &mut public_key, &mut private_key).unwrap();
        let (mut ciphertext, mut sent, mut received) = ([0; CIPHERTEXT_SIZE], [0; 32], [0; 32]);
        encapsulate(&public_key, &[2; 32], &mut ciphertext, &mut sent).unwrap();
        decapsulate(&private_key, &ciphertext, &mut received).unwrap();
        assert_eq!(sent, received);
        assert_ne!(sent, [0; 32]);
        ciphertext[0] ^= 1;
        decapsulate(&private_key, &ciphertext, &mut received).unwrap();
        assert_ne!(sent, received);
    }

    #[test]
    fn the_same_seeds_give_the_same_keys_and_secrets() {
        let pair = |seed: u8| {
            let (mut public_key, mut private_key) = ([0; PUBLIC_KEY_SIZE], [0; PRIVATE_KEY_SIZE]);
            key_pair(&[seed; 64], &mut public_key, &mut private_key).unwrap();
            (public_key, private_key)
        };
        assert_eq!(pair(1), pair(1));
        assert_ne!(pair(1).0, pair(2).0);
    }

    #[test]
    fn a_public_key_that_is_not_reduced_is_refused() {
        let (mut ciphertext, mut secret) = ([0; CIPHERTEXT_SIZE], [0; 32]);
        assert_eq!(
            encapsulate(&[0xff; PUBLIC_KEY_SIZE], &[2; 32], &mut ciphertext, &mut secret),
            Err(Failure)
        );
        assert_eq!(
            decapsulate(&[1; PRIVATE_KEY_SIZE], &[0; CIPHERTEXT_SIZE], &mut secret),
            Err(Failure)
        );
    }
}
