//! Keys on disk.
//!
//! Each key is two files: `NAME.age`, its secrets (an sr25519 seed that signs and an X25519 secret that opens
//! envelopes) encrypted with a passphrase in the age format, mode 0600; and `NAME.pub`, what others may know. The
//! stock `age` tool decrypts the former.

use crate::failure::{Failure, Result};
use age::secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use ve_chain::{AccountId32, Signer};
use ve_envelope::SecretKey;
use zeroize::{Zeroize, Zeroizing};

/// scrypt's logarithmic cost: about a tenth of a second, which a person does not notice and a script bears. The
/// passphrase of a key worth more than that belongs in a longer passphrase.
const WORK_FACTOR: u8 = 15;

/// Folder of keys.
#[derive(Clone, Debug)]
pub struct Keystore {
    folder: PathBuf,
}

/// What may be known of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKeys {
    /// Its account, SS58.
    pub account: String,
    /// Its X25519 public key, `0x…`.
    pub encryption: String,
}

/// The secrets of a key; wiped when dropped.
#[derive(Clone)]
pub struct Secrets {
    seed: Zeroizing<[u8; 32]>,
    /// Opens what was sealed to the key.
    pub encryption: SecretKey,
    /// Signs for its account.
    pub signer: Signer,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Inside `NAME.age`.
#[derive(Serialize, Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
#[zeroize(drop)]
struct Stored {
    version: u8,
    /// sr25519 mini secret, or empty if `uri` names it.
    seed: String,
    /// A development URI (`//Alice`), or empty.
    uri: String,
    encryption: String,
}

impl Secrets {
    /// A new key from the operating system's random numbers.
    pub fn generate() -> Result<Self> {
        let random =
            || SecretKey::generate().map_err(|e| Failure::local(e.to_string(), "try again"));
        // An X25519 secret is 32 bytes of the system's randomness, which is what an sr25519 seed is too.
        let seed = random()?.to_bytes();
        Ok(Self {
            signer: Signer::from_seed(&seed)?,
            seed,
            encryption: random()?,
        })
    }

    /// The public half.
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            account: account_text(self.signer.account()),
            encryption: self.encryption.public().to_string(),
        }
    }

    /// The sr25519 seed, `0x…`; `None` for a key made from a development URI.
    pub fn seed(&self) -> Option<Zeroizing<String>> {
        (*self.seed != [0; 32]).then(|| Zeroizing::new(format!("0x{}", hex::encode(*self.seed))))
    }
}

/// SS58 text of an account.
pub fn account_text(account: &AccountId32) -> String {
    use sp_core::crypto::Ss58Codec;
    account.to_ss58check()
}

/// A key of the store with its development URI, if it has one.
pub struct Entry {
    /// The secrets.
    pub secrets: Secrets,
    uri: Zeroizing<String>,
}

impl Entry {
    /// A new random key.
    pub fn random() -> Result<Self> {
        Ok(Self {
            secrets: Secrets::generate()?,
            uri: Zeroizing::default(),
        })
    }

    /// A key whose signing half is named by a secret URI; its encryption half is random.
    pub fn from_uri(uri: &SecretString) -> Result<Self> {
        let mut secrets = Secrets::generate()?;
        secrets.signer = Signer::from_uri(uri)?;
        secrets.seed = Zeroizing::new([0; 32]);
        Ok(Self {
            secrets,
            uri: Zeroizing::new(uri.expose_secret().to_string()),
        })
    }

    /// The URI, if the key was made from one.
    pub fn uri(&self) -> Option<&str> {
        (!self.uri.is_empty()).then_some(self.uri.as_str())
    }
}

impl Keystore {
    /// The keys of a folder, which need not exist yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, name: &str, extension: &str) -> Result<PathBuf> {
        let good = !name.is_empty()
            && name.len() <= 64
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !good {
            return Err(Failure::usage(
                format!("key: {name:?} is not a name"),
                "use letters, digits, - and _",
            ));
        }
        Ok(self.folder.join(format!("{name}.{extension}")))
    }

    /// Names of all keys, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Failure::file("reading the keystore", &self.folder, &e)),
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|e| {
                e.file_name()
                    .to_str()?
                    .strip_suffix(".age")
                    .map(str::to_string)
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// The public half of a key.
    pub fn public(&self, name: &str) -> Result<PublicKeys> {
        let path = self.path(name, "pub")?;
        let text = fs::read_to_string(&path).map_err(|e| self.missing(name, &path, &e))?;
        serde_json::from_str(&text).map_err(|e| {
            Failure::local(
                format!("{}: {e}", path.display()),
                "remove the file and make the key anew, or restore it",
            )
        })
    }

    fn missing(&self, name: &str, path: &Path, error: &std::io::Error) -> Failure {
        if error.kind() == std::io::ErrorKind::NotFound {
            let known = self.names().unwrap_or_default().join(", ");
            let known = if known.is_empty() {
                "none yet".to_string()
            } else {
                known
            };
            Failure::missing(
                format!("key: there is no key {name:?} (known: {known})"),
                format!("make one with `ve key new {name}`, or choose one with --key"),
            )
        } else {
            Failure::file("reading the key", path, error)
        }
    }

    /// Whether there is a key of that name.
    pub fn exists(&self, name: &str) -> Result<bool> {
        Ok(self.path(name, "age")?.exists())
    }

    /// Stores a new key. Never overwrites one.
    pub fn create(&self, name: &str, entry: &Entry, passphrase: &SecretString) -> Result<()> {
        let path = self.path(name, "age")?;
        let failed = |e| Failure::file("creating", &self.folder, &e);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(failed)?;
        // Two programs may make the same key at once: the second must see what the first wrote.
        let lock = fs::File::create(self.folder.join(".lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if path.exists() {
            return Err(Failure::usage(
                format!("key: there is a key {name:?} already"),
                "choose another name; a key is never overwritten",
            ));
        }
        let mut stored = Stored {
            version: 1,
            seed: String::new(),
            uri: entry.uri.to_string(),
            encryption: hex::encode(*entry.secrets.encryption.to_bytes()),
        };
        if entry.uri.is_empty() {
            stored.seed = hex::encode(*entry.secrets.seed);
        }
        let plain = Zeroizing::new(serde_json::to_vec(&stored).unwrap_or_default());
        let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
        recipient.set_work_factor(WORK_FACTOR);
        let sealed = age::encrypt(&recipient, &plain)
            .map_err(|e| Failure::local(format!("encrypting the key: {e}"), "try again"))?;
        // The public file first: a key that can be used is then always a key that can be shown.
        let public = serde_json::to_vec_pretty(&entry.secrets.public()).unwrap_or_default();
        write_whole(&self.path(name, "pub")?, &public, 0o644)?;
        write_whole(&path, &sealed, 0o600)
    }

    /// Opens a key.
    pub fn open(&self, name: &str, passphrase: &SecretString) -> Result<Entry> {
        let path = self.path(name, "age")?;
        let mut sealed = Vec::new();
        fs::File::open(&path)
            .and_then(|mut f| f.read_to_end(&mut sealed))
            .map_err(|e| self.missing(name, &path, &e))?;
        let damaged = |e: String| {
            Failure::local(
                format!("{}: {e}", path.display()),
                "restore the file from a backup",
            )
        };
        let plain = age::decrypt(&age::scrypt::Identity::new(passphrase.clone()), &sealed)
            .map_err(|e| match e {
                age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => {
                    Failure::usage(
                        format!("key: the passphrase does not open {name:?}"),
                        "type it again, or correct VE_PASSPHRASE or --passphrase-file",
                    )
                }
                other => damaged(other.to_string()),
            })?;
        let plain = Zeroizing::new(plain);
        let stored: Stored = serde_json::from_slice(&plain).map_err(|e| damaged(e.to_string()))?;
        let bytes = |text: &str| -> Result<Zeroizing<[u8; 32]>> {
            let mut out = Zeroizing::new([0u8; 32]);
            hex::decode_to_slice(text, out.as_mut()).map_err(|e| damaged(e.to_string()))?;
            Ok(out)
        };
        let encryption = SecretKey::from_bytes(*bytes(&stored.encryption)?);
        let secrets = if stored.uri.is_empty() {
            let seed = bytes(&stored.seed)?;
            Secrets {
                signer: Signer::from_seed(&seed)?,
                seed,
                encryption,
            }
        } else {
            let uri = SecretString::from(stored.uri.clone());
            Secrets {
                signer: Signer::from_uri(&uri)?,
                seed: Zeroizing::new([0; 32]),
                encryption,
            }
        };
        // Everything that is read without a passphrase is read from the public half.
        if self.public(name)? != secrets.public() {
            return Err(Failure::local(
                format!(
                    "{}: it is not the public half of this key",
                    self.path(name, "pub")?.display()
                ),
                "somebody changed it: restore both files from a backup",
            ));
        }
        Ok(Entry {
            secrets,
            uri: Zeroizing::new(stored.uri.clone()),
        })
    }
}

/// Writes a file, whole or not at all, so that it outlives a crash. The keystore's lock is held.
fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let staged = path.with_extension("part");
    let folder = path.parent().unwrap_or(path);
    let written = || -> std::io::Result<()> {
        // What a program left behind when it died.
        match fs::remove_file(&staged) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&staged)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&staged, path)?;
        fs::File::open(folder)?.sync_all()
    };
    written().map_err(|e| Failure::file("writing", path, &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn key_should_open_when_the_passphrase_is_right_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let store = Keystore::new(&dir.path().join("keys"));
        assert_eq!(store.names().unwrap(), Vec::<String>::new());
        let entry = Entry::random().unwrap();
        let (right, wrong) = (
            SecretString::from("right".to_string()),
            SecretString::from("wrong".to_string()),
        );
        store.create("alice", &entry, &right).unwrap();
        let opened = store.open("alice", &right).unwrap();
        assert_eq!(opened.secrets.public(), entry.secrets.public());
        assert_eq!(opened.secrets.seed(), entry.secrets.seed());
        assert_eq!(store.public("alice").unwrap(), entry.secrets.public());
        assert_eq!(
            store.open("alice", &wrong).unwrap_err_code(),
            crate::failure::code::USAGE
        );
        assert_eq!(
            store.create("alice", &entry, &right).unwrap_err().code,
            crate::failure::code::USAGE
        );
        assert_eq!(
            store.open("bob", &right).unwrap_err_code(),
            crate::failure::code::NOT_FOUND
        );
        assert_eq!(store.names().unwrap(), ["alice"]);
        let file = dir.path().join("keys/alice.age");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let seed = entry.secrets.seed().unwrap();
        let text = fs::read(&file).unwrap();
        assert!(
            !text.windows(64).any(|w| w == &seed.as_bytes()[2..]),
            "the seed lies there in the clear"
        );
    }

    #[test]
    fn key_should_be_the_development_account_when_made_from_its_uri() {
        let dir = tempfile::tempdir().unwrap();
        let store = Keystore::new(dir.path());
        let pass = SecretString::from("p".to_string());
        let entry = Entry::from_uri(&SecretString::from("//Alice".to_string())).unwrap();
        store.create("a", &entry, &pass).unwrap();
        let opened = store.open("a", &pass).unwrap();
        assert_eq!(
            opened.secrets.public().account,
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
        );
        assert_eq!(
            (opened.uri(), opened.secrets.seed()),
            (Some("//Alice"), None)
        );
    }

    #[test]
    fn key_should_not_open_when_its_public_half_is_anothers() {
        let dir = tempfile::tempdir().unwrap();
        let store = Keystore::new(dir.path());
        let pass = SecretString::from("p".to_string());
        for name in ["mine", "theirs"] {
            store
                .create(name, &Entry::random().unwrap(), &pass)
                .unwrap();
        }
        fs::copy(dir.path().join("theirs.pub"), dir.path().join("mine.pub")).unwrap();
        let failure = store.open("mine", &pass).err().unwrap();
        assert_eq!(failure.code, crate::failure::code::LOCAL);
        assert!(failure.what.contains("mine.pub"), "{}", failure.what);
        store.open("theirs", &pass).unwrap();
    }

    #[test]
    fn key_should_never_be_lost_when_two_programs_make_the_same_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let pass = SecretString::from("p".to_string());
        let made: Vec<PublicKeys> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let entry = Entry::random().unwrap();
                        let made = Keystore::new(&folder).create("k", &entry, &pass);
                        made.ok().map(|()| entry.secrets.public())
                    })
                })
                .collect();
            makers
                .into_iter()
                .filter_map(|m| m.join().unwrap())
                .collect()
        });
        let store = Keystore::new(&folder);
        assert_eq!(made.len(), 1);
        assert_eq!(store.open("k", &pass).unwrap().secrets.public(), made[0]);
        assert_eq!(store.public("k").unwrap(), made[0]);
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
        assert_eq!(store.names().unwrap(), ["k"]);
    }

    #[test]
    fn name_should_be_refused_when_it_could_leave_the_folder() {
        let store = Keystore::new(Path::new("keys"));
        for name in ["", "../x", "a/b", ".hidden", "a b", "a.b"] {
            assert_eq!(
                store.public(name).unwrap_err().code,
                crate::failure::code::USAGE,
                "{name}"
            );
        }
    }

    trait Code {
        fn unwrap_err_code(self) -> u8;
    }
    impl Code for Result<Entry> {
        fn unwrap_err_code(self) -> u8 {
            self.err().unwrap().code
        }
    }
}
