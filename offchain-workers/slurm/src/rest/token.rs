//! Tokens by which slurmrestd knows for whom a request is.

use std::{
    collections::HashMap,
    fmt, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, Mac};
use secrecy::SecretString;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Most that a token or key file may hold.
const MAX_FILE: u64 = 64 * 1024;
/// Shortest and longest life of a token that is minted here. The shortest leaves room for a renewal at half-life and a
/// slow request; a leaked token should not be good for long.
const LIFETIME: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(24 * 3600);

/// Where tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A file with one token, which somebody else renews (`scontrol token`, a Kubernetes secret). Read again for every
    /// request, so a renewed one is used at once. It must be the token of the user for whom jobs run.
    File(PathBuf),
    /// Minted here with the key that slurmctld and slurmdbd verify with (`AuthAltParameters=jwt_key=`): HS256 over
    /// `exp`, `iat` and `sun`, the unix user. Only its owner may read the file.
    Key {
        /// File with the key, byte for byte what slurmctld reads.
        file: PathBuf,
        /// How long each token is good; renewed at half of it. 10 s to a day.
        lifetime: Duration,
    },
}

/// A token and whose it is.
#[derive(Clone)]
pub(crate) struct Token {
    pub user: Arc<str>,
    pub text: Arc<SecretString>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token of {}", self.user)
    }
}

#[derive(Clone)]
struct Minted {
    token: Token,
    from: u64,
    renew_at: u64,
}

/// Gives a token for each request.
pub(crate) struct Tokens {
    source: TokenSource,
    minted: Mutex<HashMap<Arc<str>, Minted>>,
}

impl Tokens {
    pub fn new(source: TokenSource) -> Result<Self, String> {
        if let TokenSource::Key { lifetime, .. } = &source {
            if !LIFETIME.contains(lifetime) {
                return Err(format!(
                    "the life of a token must be {} to {} seconds",
                    LIFETIME.start().as_secs(),
                    LIFETIME.end().as_secs()
                ));
            }
        }
        Ok(Self {
            source,
            minted: Mutex::default(),
        })
    }

    /// A token that is good for a while yet. Reads a small local file.
    pub fn of(&self, user: &Arc<str>) -> Result<Token, String> {
        match &self.source {
            TokenSource::File(path) => Ok(Token {
                user: user.clone(),
                text: Arc::new(read_token(path)?),
            }),
            TokenSource::Key { file, lifetime } => self.minted(user, file, *lifetime, unix_now()),
        }
    }

    fn minted(
        &self,
        user: &Arc<str>,
        key_file: &Path,
        lifetime: Duration,
        now: u64,
    ) -> Result<Token, String> {
        let mut all = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(user) {
            // A clock that was set back makes a token that is not good yet.
            if (known.from..known.renew_at).contains(&now) {
                return Ok(known.token.clone());
            }
        }
        let token = Token {
            user: user.clone(),
            text: Arc::new(mint(&read_key(key_file)?, user, now, lifetime.as_secs())?),
        };
        let minted = Minted {
            token: token.clone(),
            from: now,
            renew_at: now.saturating_add(lifetime.as_secs() / 2),
        };
        all.insert(user.clone(), minted);
        Ok(token)
    }

    /// What to look at when slurmrestd refuses a token.
    pub fn remedy(&self, user: &str) -> String {
        match &self.source {
            TokenSource::File(path) => format!(
                "renew the token in {} (scontrol token username={user}) and see that it is {user}'s",
                path.display()
            ),
            TokenSource::Key { file, .. } => format!(
                "see that {} is the file that slurmctld and slurmdbd name as jwt_key, that their clocks agree with this \
                 machine's, and that the unix user {user} exists there",
                file.display()
            ),
        }
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    use io::Read;
    let failed = |e: io::Error| format!("{}: {e}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.mode() & 0o077 != 0 {
        return Err(format!(
            "{}: others may read it; run chmod 600 on it and consider its secret known",
            path.display()
        ));
    }
    if metadata.len() > MAX_FILE {
        return Err(format!("{}: too long for a token or key", path.display()));
    }
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_FILE).unwrap_or(0)));
    file.take(MAX_FILE)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

fn read_token(path: &Path) -> Result<SecretString, String> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    // What `scontrol token` prints is as good as the bare token.
    let text = text.strip_prefix("SLURM_JWT=").unwrap_or(text);
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!(
            "{}: holds no token; write one into it",
            path.display()
        ));
    }
    Ok(SecretString::from(text))
}

fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = read(path)?;
    if bytes.len() < 16 {
        return Err(format!(
            "{}: {} bytes are no key",
            path.display(),
            bytes.len()
        ));
    }
    Ok(bytes)
}

/// RFC 7519 with HS256 and the claims that SLURM's auth/jwt reads (its documentation, "JSON Web Tokens").
fn mint(key: &[u8], user: &str, now: u64, lifetime: u64) -> Result<SecretString, String> {
    let claims =
        serde_json::json!({ "exp": now.saturating_add(lifetime), "iat": now, "sun": user });
    let mut text = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    text.push('.');
    text.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|e| e.to_string())?;
    mac.update(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    text.push('.');
    text.push_str(&signature);
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    use super::*;

    fn file(dir: &TempDir, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn key(file: PathBuf, seconds: u64) -> TokenSource {
        TokenSource::Key {
            file,
            lifetime: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn token_should_be_what_others_make_when_key_and_claims_are_the_same() {
        let key: Vec<u8> = (0..32).collect();
        let token = mint(&key, "ve-job-1", 1000, 300).unwrap();
        // By Python's hmac, hashlib and base64.
        let expected = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\
            .eyJleHAiOjEzMDAsImlhdCI6MTAwMCwic3VuIjoidmUtam9iLTEifQ\
            .4J9wz0vWmpnGEuvmKW3Jik8l--rLRH7Heo-Ak0vi1sQ";
        assert_eq!(token.expose_secret(), expected);
    }

    #[test]
    fn token_should_be_minted_again_when_half_its_life_is_over_or_the_clock_was_set_back() {
        let dir = TempDir::new().unwrap();
        let path = file(&dir, "key", &[1; 32], 0o600);
        let tokens = Tokens::new(key(path.clone(), 300)).unwrap();
        let user: Arc<str> = "u".into();
        let at = |now| {
            let token = tokens
                .minted(&user, &path, Duration::from_secs(300), now)
                .unwrap();
            token.text.expose_secret().to_owned()
        };
        let first = at(1000);
        assert_eq!(at(1149), first);
        let second = at(1150);
        assert_ne!(second, first);
        assert_ne!(at(900), second);
        let other = tokens
            .minted(&"v".into(), &path, Duration::from_secs(300), 900)
            .unwrap();
        assert_ne!(other.text.expose_secret(), &at(900));
    }

    #[test]
    fn token_should_be_read_again_when_its_file_changes() {
        let dir = TempDir::new().unwrap();
        let path = file(&dir, "token", b"SLURM_JWT=a.b.c\n", 0o600);
        let tokens = Tokens::new(TokenSource::File(path)).unwrap();
        let read = || {
            tokens
                .of(&"u".into())
                .map(|t| t.text.expose_secret().to_owned())
        };
        assert_eq!(read().as_deref(), Ok("a.b.c"));
        file(&dir, "token", b"d.e.f", 0o600);
        assert_eq!(read().as_deref(), Ok("d.e.f"));
        file(&dir, "token", b"  \n", 0o600);
        assert!(read().unwrap_err().contains("holds no token"));
        file(&dir, "token", b"a b", 0o600);
        assert!(read().unwrap_err().contains("holds no token"));
    }

    #[test]
    fn secret_should_be_refused_when_others_may_read_it() {
        let dir = TempDir::new().unwrap();
        for source in [
            TokenSource::File(file(&dir, "token", b"a.b.c", 0o640)),
            key(file(&dir, "key", &[1; 32], 0o604), 300),
        ] {
            let error = Tokens::new(source).unwrap().of(&"u".into()).unwrap_err();
            assert!(error.contains("chmod 600"), "{error}");
        }
        let short = key(file(&dir, "short", &[1; 8], 0o600), 300);
        assert!(Tokens::new(short).unwrap().of(&"u".into()).is_err());
        assert!(Tokens::new(key("key".into(), 1)).is_err());
    }

    #[test]
    fn token_should_not_be_shown_when_it_is_printed() {
        let dir = TempDir::new().unwrap();
        let source = TokenSource::File(file(&dir, "token", b"secret.secret.secret", 0o600));
        let tokens = Tokens::new(source).unwrap();
        let shown = format!("{:?}", tokens.of(&"u".into()).unwrap());
        assert_eq!(shown, "token of u");
    }
}
