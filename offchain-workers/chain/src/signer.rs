//! An account that can sign.

use crate::error::ChainError;
use secrecy::{ExposeSecret, SecretString};
use sp_core::crypto::AccountId32;
use std::str::FromStr;
use subxt_signer::{sr25519::Keypair, SecretUri};

/// An sr25519 key pair. Never printed, not even its public part by `Debug`.
#[derive(Clone)]
pub struct Signer {
    pair: Keypair,
    account: AccountId32,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl Signer {
    fn new(pair: Keypair) -> Self {
        let account = AccountId32::new(pair.public_key().0);
        Self { pair, account }
    }

    /// From a 32-byte mini secret (what `0x…` names in other tools).
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, ChainError> {
        Keypair::from_secret_key(*seed)
            .map(Self::new)
            .map_err(|e| ChainError::BadSecret(e.to_string()))
    }

    /// From a secret URI: a BIP-39 phrase or `0x` seed with derivation junctions, or `//Name` on development chains.
    pub fn from_uri(uri: &SecretString) -> Result<Self, ChainError> {
        let bad = |reason: String| ChainError::BadSecret(reason);
        let uri = SecretUri::from_str(uri.expose_secret())
            .map_err(|_| bad("expected a phrase, a 0x seed or //Name".into()))?;
        Keypair::from_uri(&uri).map(Self::new).map_err(|_| {
            bad("the phrase or seed is not valid (check the words and their order)".into())
        })
    }

    /// The account.
    pub fn account(&self) -> &AccountId32 {
        &self.account
    }

    /// Signs bytes (64-byte sr25519 signature in the `substrate` context).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).0
    }
}

impl subxt::transactions::Signer<subxt::SubstrateConfig> for Signer {
    fn account_id(&self) -> subxt::utils::AccountId32 {
        subxt::utils::AccountId32(*self.account.as_ref())
    }

    fn sign(&self, payload: &[u8]) -> subxt::utils::MultiSignature {
        subxt::utils::MultiSignature::Sr25519(self.pair.sign(payload).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_core::crypto::Ss58Codec;

    #[test]
    fn signer_should_be_the_well_known_account_when_made_from_a_development_uri() {
        let alice = Signer::from_uri(&SecretString::from("//Alice")).unwrap();
        assert_eq!(
            alice.account().to_ss58check(),
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
        );
        assert_eq!(format!("{alice:?}"), "Signer(..)");
    }

    #[test]
    fn signer_should_be_refused_when_the_phrase_is_wrong() {
        let secret = SecretString::from("bottom drive obey lake");
        let error = Signer::from_uri(&secret).unwrap_err().to_string();
        assert!(
            !error.contains("obey"),
            "a secret must not be echoed: {error}"
        );
    }
}
