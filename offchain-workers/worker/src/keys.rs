//! The worker's secrets: a file that only its owner can read, or the environment. Never printed, never logged.

use crate::config::Keys;
use anyhow::{bail, Context, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    str::FromStr,
};
use ve_chain::Signer;
use ve_envelope::SecretKey;

/// What a key file holds: both secrets as hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u8,
    /// 32-byte sr25519 seed.
    signing: String,
    /// 32-byte X25519 secret.
    encryption: String,
}

/// Both secrets of a worker.
pub struct WorkerKeys {
    /// Signs calls and pays their fees.
    pub signer: Signer,
    /// Opens what is sealed to the provider.
    pub secret: SecretKey,
}

/// Makes a new key file. An existing file is never overwritten.
pub fn create(path: &Path) -> Result<WorkerKeys> {
    // Two independent secrets: an encryption key is never derived from a signing key.
    let signing = SecretKey::generate()?;
    let encryption = SecretKey::generate()?;
    let text = |key: &SecretKey| SecretString::from(hex(key.to_bytes().as_ref()));
    let file = KeyFile {
        version: 1,
        signing: text(&signing).expose_secret().to_owned(),
        encryption: text(&encryption).expose_secret().to_owned(),
    };
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{}: choose a file that does not exist yet", path.display()))?;
    out.write_all(toml::to_string(&file)?.as_bytes())?;
    out.sync_all()?;
    from_file(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_file(path: &Path) -> Result<WorkerKeys> {
    let shown = path.display();
    let data = std::fs::metadata(path).with_context(|| {
        format!("{shown}: make it with `virtengine-worker key new --out {shown}`")
    })?;
    if data.mode() & 0o077 != 0 {
        bail!("{shown}: others may read it; run `chmod 600 {shown}` and consider the keys known");
    }
    let text =
        SecretString::from(std::fs::read_to_string(path).with_context(|| shown.to_string())?);
    // The parser's own message would show the line, and with it a secret.
    let Ok(file) = toml::from_str::<KeyFile>(text.expose_secret()) else {
        bail!("{shown}: is not a key file of virtengine-worker; restore it from a backup or make a new one");
    };
    if file.version != 1 {
        bail!(
            "{shown}: has version {}; this worker reads version 1, update it",
            file.version
        );
    }
    let signing =
        SecretKey::from_str(&file.signing).with_context(|| format!("{shown}: signing"))?;
    let secret =
        SecretKey::from_str(&file.encryption).with_context(|| format!("{shown}: encryption"))?;
    Ok(WorkerKeys {
        signer: Signer::from_seed(&signing.to_bytes())?,
        secret,
    })
}

fn variable(name: &str) -> Result<SecretString> {
    std::env::var(name)
        .map(SecretString::from)
        .with_context(|| format!("environment variable {name}"))
}

/// Reads the secrets that the configuration names. The environment goes before the file.
pub fn load(keys: &Keys) -> Result<WorkerKeys> {
    let file = keys.file.as_deref().map(from_file);
    let signer = match &keys.signing_env {
        Some(name) => Signer::from_uri(&variable(name)?)
            .with_context(|| format!("environment variable {name}"))?,
        None => match &file {
            Some(Ok(file)) => file.signer.clone(),
            Some(Err(error)) => bail!("keys.file: {error:#}"),
            None => bail!("keys.file: is missing"),
        },
    };
    let secret = match &keys.encryption_env {
        Some(name) => SecretKey::from_str(variable(name)?.expose_secret())
            .with_context(|| format!("environment variable {name}"))?,
        None => match file {
            Some(Ok(file)) => file.secret,
            Some(Err(error)) => bail!("keys.file: {error:#}"),
            None => bail!("keys.file: is missing"),
        },
    };
    Ok(WorkerKeys { signer, secret })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn of(file: &Path) -> Keys {
        Keys {
            file: Some(file.to_owned()),
            signing_env: None,
            encryption_env: None,
        }
    }

    #[test]
    fn keys_should_be_read_back_as_they_were_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("worker.key");
        let made = create(&path).unwrap();
        let read = load(&of(&path)).unwrap();
        assert_eq!(made.signer.account(), read.signer.account());
        assert_eq!(made.secret.public(), read.secret.public());
        assert!(
            create(&path).is_err(),
            "an existing file is not overwritten"
        );
    }

    #[test]
    fn keys_should_be_refused_when_others_can_read_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("worker.key");
        create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let message = format!("{:#}", load(&of(&path)).err().unwrap());
        assert!(message.contains("chmod 600"), "{message}");
    }

    #[test]
    fn error_should_not_show_the_secret_when_the_file_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("worker.key");
        create(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let secret = text.split('"').nth(1).unwrap().to_owned();
        std::fs::write(&path, text.replacen('"', "", 1)).unwrap();
        let message = format!("{:#}", load(&of(&path)).err().unwrap());
        assert!(!message.contains(&secret), "{message}");
    }
}
