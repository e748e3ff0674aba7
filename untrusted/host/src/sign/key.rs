//! RSA keys as SGX takes them: 3072 bits, exponent 3.

use std::fmt;
use std::panic::resume_unwind;
use std::thread;

use num_bigint_dig::RandPrime;
use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey};
use rsa::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding,
};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256};
use twine_abi::sgx::sigstruct::{EXPONENT, RSA_LEN};
use twine_abi::sgx::{Digest, Sigstruct};
use zeroize::Zeroizing;

use super::SignError;
use super::certificate::Power;

/// The half of a key that everybody may know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    modulus: BigUint,
}

impl PublicKey {
    /// Reads a public key: SubjectPublicKeyInfo (`BEGIN PUBLIC KEY`) or PKCS #1 (`BEGIN RSA PUBLIC KEY`).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] or [`SignError::WrongKey`].
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        let key = RsaPublicKey::from_public_key_pem(pem)
            .or_else(|_| RsaPublicKey::from_pkcs1_pem(pem))
            .map_err(|_| SignError::NotAKey("no public key found"))?;
        Self::new(key.n().clone(), key.e())
    }

    /// The key as SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] if the key cannot be written down.
    pub fn to_pem(&self) -> Result<String, SignError> {
        RsaPublicKey::new(self.modulus.clone(), BigUint::from(EXPONENT))?
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| SignError::NotAKey("the key cannot be encoded"))
    }

    fn new(modulus: BigUint, exponent: &BigUint) -> Result<Self, SignError> {
        let bits = modulus.bits();
        let exponent_is_three = *exponent == BigUint::from(EXPONENT);
        if bits != 8 * RSA_LEN || !exponent_is_three {
            return Err(SignError::WrongKey {
                bits,
                exponent_is_three,
            });
        }
        Ok(Self { modulus })
    }

    /// MRSIGNER: the SHA-256 of the modulus.
    #[must_use]
    pub fn mrsigner(&self) -> Digest {
        Sha256::digest(little_endian(&self.modulus)).into()
    }

    /// Fills in what is not signed: the key, the signature, and the quotients.
    pub(super) fn complete(
        &self,
        statement: &Sigstruct,
        signature: &[u8],
    ) -> Result<Sigstruct, SignError> {
        let signature = BigUint::from_bytes_be(signature);
        if signature >= self.modulus {
            return Err(SignError::BadSignature);
        }
        let Power { q1, q2, .. } = Power::of(&signature, &self.modulus);
        Ok(Sigstruct {
            modulus: little_endian(&self.modulus),
            exponent: EXPONENT,
            signature: little_endian(&signature),
            q1: little_endian(&q1),
            q2: little_endian(&q2),
            ..*statement
        })
    }
}

/// A key that can sign. Forgotten thoroughly when dropped; [`rsa`] sees to that.
pub struct PrivateKey {
    key: RsaPrivateKey,
    public: PublicKey,
}

impl PrivateKey {
    /// Reads a private key without a password: PKCS #8 (`BEGIN PRIVATE KEY`) or PKCS #1 (`BEGIN RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] or [`SignError::WrongKey`].
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        let key = RsaPrivateKey::from_pkcs8_pem(pem)
            .or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem))
            .map_err(|_| SignError::NotAKey("no private key without password found"))?;
        Self::new(key)
    }

    /// Makes a key. Takes half a second, or two.
    ///
    /// # Errors
    /// [`SignError::Rsa`] if the operating system gives no randomness.
    pub fn generate() -> Result<Self, SignError> {
        let three = BigUint::from(EXPONENT);
        // Finding a prime is all the work, and takes one core.
        let (p, q) = thread::scope(|scope| {
            let p = scope.spawn(|| prime(&three));
            let q = prime(&three);
            (p.join().unwrap_or_else(|panic| resume_unwind(panic)), q)
        });
        Self::new(RsaPrivateKey::from_p_q(p, q, three)?)
    }

    fn new(key: RsaPrivateKey) -> Result<Self, SignError> {
        let public = PublicKey::new(key.n().clone(), key.e())?;
        Ok(Self { key, public })
    }

    /// The other half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key as PKCS #8, to be kept secret.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] if the key cannot be written down.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, SignError> {
        self.key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| SignError::NotAKey("the key cannot be encoded"))
    }

    /// Signs `message`, most significant byte first. Blinded: how long it takes says nothing about the key.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let digest = Sha256::digest(message);
        let padding = Pkcs1v15Sign::new::<rsa::sha2::Sha256>();
        Ok(self.key.sign_with_rng(&mut OsRng, padding, &digest)?)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// A prime of half a key's length. One that is 1 modulo `exponent` has no inverse for it, and would waste its partner
/// too.
fn prime(exponent: &BigUint) -> BigUint {
    loop {
        let prime = OsRng.gen_prime(8 * RSA_LEN / 2);
        if &prime % exponent != BigUint::from(1_u8) {
            return prime;
        }
    }
}

/// A number below a 3072-bit modulus, as SIGSTRUCT holds it.
fn little_endian(number: &BigUint) -> [u8; RSA_LEN] {
    let mut bytes = [0; RSA_LEN];
    for (to, from) in bytes.iter_mut().zip(number.to_bytes_le()) {
        *to = from;
    }
    bytes
}
