//! What JavaScript calls: arguments in, one function of the modules beside, an answer out. `index.cts` has the types.

use crate::background::Verification;
use crate::batch;
use crate::boundary::{Answer, Call, Refusal, Value};
use crate::groups::Group;
use crate::handles::Held;
use crate::hpke::{Info, Opening, Outcome, Recipient, Sealing, Suite};
use crate::ml_kem;
use crate::primitives::{self, Aead, Failure, Hash, NONCE_SIZE, TAG_SIZE};
use crate::signatures::Scheme;
use crate::spans;

impl From<Failure> for Refusal {
    fn from(_: Failure) -> Self {
        primitives::forget_errors();
        Self::Failed("the cryptographic library failed")
    }
}

const SIZE: Refusal = Refusal::Range("an argument has the wrong size");
const UNKNOWN: Refusal = Refusal::Range("there is no such algorithm");

fn hash(call: &Call, index: usize) -> Result<Hash, Refusal> {
    Ok(match call.number(index)? {
        0 => Hash::Sha256,
        1 => Hash::Sha384,
        2 => Hash::Sha512,
        _ => return Err(UNKNOWN),
    })
}

fn aead(call: &Call, index: usize) -> Result<Aead, Refusal> {
    Ok(match call.number(index)? {
        0 => Aead::Aes128Gcm,
        1 => Aead::Aes256Gcm,
        2 => Aead::ChaCha20Poly1305,
        _ => return Err(UNKNOWN),
    })
}

fn group(call: &Call, index: usize) -> Result<Group, Refusal> {
    Ok(match call.number(index)? {
        0 => Group::X25519,
        1 => Group::P256,
        2 => Group::P384,
        3 => Group::P521,
        _ => return Err(UNKNOWN),
    })
}

fn scheme(call: &Call, index: usize) -> Result<Scheme, Refusal> {
    Ok(match call.number(index)? {
        0 => Scheme::Ed25519,
        1 => Scheme::P256,
        2 => Scheme::P384,
        3 => Scheme::P521,
        _ => return Err(UNKNOWN),
    })
}

fn flag(call: &Call, index: usize) -> Result<bool, Refusal> {
    Ok(call.number(index)? != 0)
}

fn sized(is_right: bool) -> Result<(), Refusal> {
    if is_right {
        Ok(())
    } else {
        Err(SIZE)
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], Refusal> {
    bytes.try_into().map_err(|_| SIZE)
}

fn array_mut<const N: usize>(bytes: &mut [u8]) -> Result<&mut [u8; N], Refusal> {
    bytes.try_into().map_err(|_| SIZE)
}

/// `random(output)`
pub fn random(call: Call) -> Answer {
    let ([], [output]) = call.memory(0)?;
    primitives::random(output)?;
    Ok(Value::Undefined)
}

/// `digest(hash, message, output)`
pub fn digest(call: Call) -> Answer {
    let hash = hash(&call, 0)?;
    let ([message], [output]) = call.memory(1)?;
    sized(output.len() == hash.size())?;
    hash.digest(message, output)?;
    Ok(Value::Undefined)
}

/// `hmac(hash, key, text, output)`
pub fn hmac(call: Call) -> Answer {
    let hash = hash(&call, 0)?;
    let ([key, text], [output]) = call.memory(1)?;
    sized(output.len() == hash.size())?;
    hash.hmac(key, &[text], output)?;
    Ok(Value::Undefined)
}

/// `digestAll(hash, memory, beside, rows, digests)`
pub fn digest_all(call: Call) -> Answer {
    let hash = hash(&call, 0)?;
    let ([memory, beside, rows], [digests]) = call.memory(1)?;
    spans::digest_all(hash, memory, beside, rows, digests)?;
    Ok(Value::Undefined)
}

/// `hmacAll(hash, key, texts, outputs)`
pub fn hmac_all(call: Call) -> Answer {
    let hash = hash(&call, 0)?;
    let ([key, texts], [outputs]) = call.memory(1)?;
    spans::hmac_all(hash, key, texts, outputs)?;
    Ok(Value::Undefined)
}

/// `seal(aead, key, nonce, plaintext, authenticatedData, ciphertext)`
pub fn seal(call: Call) -> Answer {
    let aead = aead(&call, 0)?;
    let ([key, nonce, plaintext, authenticated], [ciphertext]) = call.memory(1)?;
    sized(key.len() == aead.key_size() && nonce.len() == NONCE_SIZE)?;
    sized(ciphertext.len() == plaintext.len() + TAG_SIZE)?;
    aead.seal(key, nonce, plaintext, authenticated, ciphertext)?;
    Ok(Value::Undefined)
}

/// `open(aead, key, nonce, ciphertext, authenticatedData, plaintext)`: whether it is authentic.
pub fn open(call: Call) -> Answer {
    let aead = aead(&call, 0)?;
    let ([key, nonce, ciphertext, authenticated], [plaintext]) = call.memory(1)?;
    sized(key.len() == aead.key_size() && nonce.len() == NONCE_SIZE)?;
    sized(ciphertext.len() == plaintext.len() + TAG_SIZE)?;
    Ok(Value::Boolean(aead.open(
        key,
        nonce,
        ciphertext,
        authenticated,
        plaintext,
    )?))
}

/// `publicKey(group, privateKey, output)`: whether it is a private key.
pub fn public_key(call: Call) -> Answer {
    let group = group(&call, 0)?;
    let ([bytes], [output]) = call.memory(1)?;
    sized(output.len() == group.point_size())?;
    let Some(private_key) = group.private_key(bytes) else {
        return Ok(Value::Boolean(false));
    };
    private_key.public_key(output)?;
    Ok(Value::Boolean(true))
}

/// `multiply(group, privateKey, peer, output)`: whether both are keys, and the product is not that of a low order.
pub fn multiply(call: Call) -> Answer {
    let group = group(&call, 0)?;
    let ([bytes, peer], [output]) = call.memory(1)?;
    sized(output.len() == group.scalar_size())?;
    let Some(private_key) = group.private_key(bytes) else {
        return Ok(Value::Boolean(false));
    };
    Ok(Value::Boolean(private_key.multiply(peer, output)?))
}

/// `exchange(group, privateKey, peer, publicKey, secret)`: `publicKey` and `multiply` of one private key.
pub fn exchange(call: Call) -> Answer {
    let group = group(&call, 0)?;
    let ([bytes, peer], [public_key, secret]) = call.memory(1)?;
    sized(public_key.len() == group.point_size() && secret.len() == group.scalar_size())?;
    let Some(private_key) = group.private_key(bytes) else {
        return Ok(Value::Boolean(false));
    };
    if !private_key.multiply(peer, secret)? {
        return Ok(Value::Boolean(false));
    }
    private_key.public_key(public_key)?;
    Ok(Value::Boolean(true))
}

/// `isOnCurve(group, point)`
pub fn is_on_curve(call: Call) -> Answer {
    let group = group(&call, 0)?;
    let ([point], []) = call.memory(1)?;
    Ok(Value::Boolean(group.is_on_curve(point)))
}

/// `importKey(scheme, privateKey, publicKey)`: the number of the key.
pub fn import_key(call: Call) -> Answer {
    let scheme = scheme(&call, 0)?;
    let handles = call.handles()?;
    let ([bytes], [public_key]) = call.memory(1)?;
    let imported = scheme.private_key(bytes, public_key)?;
    let key = imported.ok_or(Refusal::Range("not a private key"))?;
    let number = handles.borrow_mut().insert(Held::Key(key))?;
    Ok(Value::Number(number as f64))
}

/// `sign(key, message, output)`: how many bytes the signature has.
pub fn sign(call: Call) -> Answer {
    let number = call.number(0)?;
    let handles = call.handles()?.borrow();
    let key = handles.key(number)?;
    let ([message], [output]) = call.memory(1)?;
    Ok(Value::Number(key.sign(message, output)? as f64))
}

/// `destroy(number)`: whether there was something to destroy.
pub fn destroy(call: Call) -> Answer {
    let number = call.number(0)?;
    Ok(Value::Boolean(call.handles()?.borrow_mut().destroy(number)))
}

/// `held()`: how many keys and suites there are.
pub fn held(call: Call) -> Answer {
    Ok(Value::Number(call.handles()?.borrow().count() as f64))
}

/// `verify(scheme, publicKey, message, signature)`
pub fn verify(call: Call) -> Answer {
    let scheme = scheme(&call, 0)?;
    let ([public_key, message, signature], []) = call.memory(1)?;
    Ok(Value::Boolean(scheme.verify(public_key, message, signature)))
}

/// `verifyAll(scheme, threads, packed)`: whether all verify.
pub fn verify_all(call: Call) -> Answer {
    let (scheme, threads) = (scheme(&call, 0)?, call.number(1)? as usize);
    let ([packed], []) = call.memory(2)?;
    Ok(Value::Boolean(batch::verify_all(
        scheme,
        &batch::unpack(packed)?,
        threads,
    )))
}

/// `verifyLater(scheme, threads, packed)`: a promise of whether all verify.
pub fn verify_later(call: Call) -> Answer {
    let (scheme, threads) = (scheme(&call, 0)?, call.number(1)? as usize);
    let env = call.environment();
    let ([packed], []) = call.memory(2)?;
    // SAFETY: `env` is this call's.
    Ok(Value::Made(unsafe {
        batch::verify_later(env, scheme, packed, threads)?
    }))
}

/// `verifyBegin(scheme, threads, memory, beside, rows)`: the number of the verification.
pub fn verify_begin(call: Call) -> Answer {
    let (scheme, threads) = (scheme(&call, 0)?, call.number(1)? as usize);
    let mut handles = call.handles()?.borrow_mut();
    let ([memory, beside, rows], []) = call.memory(2)?;
    let verification = Verification::begin(&mut handles.pool, scheme, memory, beside, rows, threads)?;
    let number = handles.insert(Held::Verification(verification))?;
    Ok(Value::Number(number as f64))
}

/// `verifyFinish(verification)`: whether all verify. The number finds nothing afterwards.
pub fn verify_finish(call: Call) -> Answer {
    let number = call.number(0)?;
    let verification = call.handles()?.borrow_mut().take_verification(number)?;
    Ok(Value::Boolean(verification.finish()))
}

/// `hpkeSuite(group, kemHash, kdfHash, aead, labels)`: the number of the suite.
pub fn hpke_suite(call: Call) -> Answer {
    let (group, kem_hash) = (group(&call, 0)?, hash(&call, 1)?);
    let (kdf_hash, aead) = (hash(&call, 2)?, aead(&call, 3)?);
    let handles = call.handles()?;
    let ([labels], []) = call.memory(4)?;
    let suite = Suite::new(group, kem_hash, kdf_hash, aead, labels);
    let suite = suite.ok_or(Refusal::Range("the labels are not those of a suite"))?;
    let number = handles.borrow_mut().insert(Held::Suite(Box::new(suite)))?;
    Ok(Value::Number(number as f64))
}

fn info(is_hash: bool, bytes: &[u8]) -> Info<'_> {
    if is_hash {
        Info::Hash(bytes)
    } else {
        Info::Whole(bytes)
    }
}

fn outcome(outcome: Outcome) -> Value {
    Value::Number(match outcome {
        Outcome::Done => 0.0,
        Outcome::Refused => 1.0,
        Outcome::NoPrivateKey => 2.0,
    })
}

/// `hpkeSeal(suite, infoIsHash, publicKey, info, authenticatedData, plaintext, ephemeral, kemOutput, ciphertext)`: how it
/// fared, as `hpkeOpen` says it.
pub fn hpke_seal(call: Call) -> Answer {
    let (number, is_hash) = (call.number(0)?, flag(&call, 1)?);
    let handles = call.handles()?.borrow();
    let suite = handles.suite(number)?;
    let ([public_key, given, authenticated, plaintext, ephemeral], [kem_output, ciphertext]) = call.memory(2)?;
    sized(kem_output.len() == suite.group.point_size() && ciphertext.len() == plaintext.len() + TAG_SIZE)?;
    Ok(outcome(suite.seal(Sealing {
        public_key,
        info: info(is_hash, given),
        authenticated,
        plaintext,
        ephemeral,
        kem_output,
        ciphertext,
    })?))
}

/// `hpkeSealAll(suite, infoIsHash, threads, info, authenticatedData, packed, sealed)`: how it fared, as `hpkeOpen` says it.
/// `packed`: public key, plaintext and ephemeral of each recipient, each after its length in four bytes, big endian.
/// `sealed`: room for the encapsulated key and the ciphertext of each, one behind the other.
pub fn hpke_seal_all(call: Call) -> Answer {
    let (number, is_hash, threads) = (call.number(0)?, flag(&call, 1)?, call.number(2)? as usize);
    let handles = call.handles()?.borrow();
    let suite = handles.suite(number)?;
    let ([given, authenticated, packed], [sealed]) = call.memory(3)?;
    let mut rest = sealed;
    let mut recipients = Vec::new();
    for (public_key, plaintext, ephemeral) in batch::unpack(packed)? {
        let (kem_output, behind) = rest.split_at_mut_checked(suite.group.point_size()).ok_or(SIZE)?;
        let (ciphertext, behind) = behind.split_at_mut_checked(plaintext.len() + TAG_SIZE).ok_or(SIZE)?;
        rest = behind;
        recipients.push(Recipient {
            public_key,
            plaintext,
            ephemeral,
            kem_output,
            ciphertext,
        });
    }
    sized(rest.is_empty())?;
    Ok(outcome(suite.seal_all(
        info(is_hash, given),
        authenticated,
        &mut recipients,
        threads,
    )?))
}

/// `hpkeKeyPair(suite, material, privateKey, publicKey)`
pub fn hpke_key_pair(call: Call) -> Answer {
    let number = call.number(0)?;
    let handles = call.handles()?.borrow();
    let suite = handles.suite(number)?;
    let ([material], [private_key, public_key]) = call.memory(1)?;
    sized(private_key.len() == suite.group.scalar_size() && public_key.len() == suite.group.point_size())?;
    suite.key_pair(material, private_key, public_key)?;
    Ok(Value::Undefined)
}

/// `hpkeOpen(suite, infoIsHash, privateKey, publicKey, kemOutput, info, authenticatedData, ciphertext, plaintext)`: 0, or 1
/// for what is refused, or 2 for no private key.
pub fn hpke_open(call: Call) -> Answer {
    let (number, is_hash) = (call.number(0)?, flag(&call, 1)?);
    let handles = call.handles()?.borrow();
    let suite = handles.suite(number)?;
    let ([private_key, public_key, kem_output, given, authenticated, ciphertext], [plaintext]) = call.memory(2)?;
    sized(plaintext.len() == ciphertext.len().saturating_sub(TAG_SIZE))?;
    Ok(outcome(suite.open(Opening {
        private_key,
        public_key,
        kem_output,
        info: info(is_hash, given),
        authenticated,
        ciphertext,
        plaintext,
    })?))
}

/// `mlKem768KeyPair(seed, publicKey, privateKey)`
pub fn ml_kem_key_pair(call: Call) -> Answer {
    let ([seed], [public_key, private_key]) = call.memory(0)?;
    ml_kem::key_pair(array(seed)?, array_mut(public_key)?, array_mut(private_key)?)?;
    Ok(Value::Undefined)
}

/// `mlKem768Encapsulate(publicKey, seed, ciphertext, secret)`: whether it is a public key.
pub fn ml_kem_encapsulate(call: Call) -> Answer {
    let ([public_key, seed], [ciphertext, secret]) = call.memory(0)?;
    let (public_key, seed) = (array(public_key)?, array(seed)?);
    let encapsulated = ml_kem::encapsulate(public_key, seed, array_mut(ciphertext)?, array_mut(secret)?);
    Ok(Value::Boolean(encapsulated.is_ok()))
}

/// `mlKem768Decapsulate(privateKey, ciphertext, secret)`: whether it is a private key.
pub fn ml_kem_decapsulate(call: Call) -> Answer {
    let ([private_key, ciphertext], [secret]) = call.memory(0)?;
    let decapsulated = ml_kem::decapsulate(array(private_key)?, array(ciphertext)?, array_mut(secret)?);
    Ok(Value::Boolean(decapsulated.is_ok()))
}
