//! Whose encryption keys something is sealed to.

use crate::failure::Result;
use ve_chain::{dispute::in_turn, AccountId32, At};
use ve_envelope::{Binding, PublicKey, Sealer};
use virtengine_primitives::{envelope::EncryptionKey, ProviderId};

/// The accounts under which a provider may have registered the keys that it reads with: its owner's and its workers'.
async fn readers(at: &At, provider: ProviderId) -> Result<Vec<AccountId32>> {
    let mut readers = at.hot_keys(provider).await?;
    readers.extend(at.provider(provider).await?.map(|p| p.owner));
    Ok(readers)
}

/// The keys that a provider reads with, at most `most`.
pub async fn keys(at: &At, provider: ProviderId, most: usize) -> Result<Vec<PublicKey>> {
    let mut of_each = Vec::new();
    for reader in readers(at, provider).await? {
        let keys = at.keys(&reader).await?;
        of_each.push(keys.into_iter().map(|(_, key)| key).collect());
    }
    Ok(in_turn(&usable(of_each), most))
}

/// Of registered keys, those that something can be sealed to. Anybody may register any 32 bytes, and one bad key must
/// not keep everybody else from reading.
pub fn usable(keys: Vec<Vec<EncryptionKey>>) -> Vec<Vec<PublicKey>> {
    let probe = Binding::result([0; 32], 0);
    keys.into_iter()
        .map(|keys| {
            keys.into_iter()
                .map(|key| PublicKey::from_bytes(key.public))
                .filter(|key| Sealer::new(std::slice::from_ref(key), &probe).is_ok())
                .collect()
        })
        .collect()
}
