//! Where things are: command line over environment over file over defaults.

use crate::failure::{Failure, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use ve_chain::H256;

/// The file `ve.toml`, as it stands. Every key may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The node, `ws://` or `wss://`.
    url: Option<String>,
    /// Name of the key to use.
    key: Option<String>,
    /// URL of the artifact store.
    artifacts: Option<String>,
    /// Folder of the template library.
    templates: Option<PathBuf>,
    /// Folder of the keystore.
    keystore: Option<PathBuf>,
    /// Genesis hash of the chain, `0x…`: any other chain is refused.
    genesis: Option<String>,
}

/// What the command line and the environment say.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The node.
    pub url: Option<String>,
    /// Name of the key.
    pub key: Option<String>,
    /// URL of the artifact store.
    pub artifacts: Option<String>,
    /// Folder of the template library.
    pub templates: Option<PathBuf>,
    /// The configuration file; must exist if given.
    pub config: Option<PathBuf>,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file that was read; where it would be if there is none.
    pub file: PathBuf,
    /// Whether it exists.
    pub found: bool,
    /// The node.
    pub url: String,
    /// Name of the key, if one was chosen.
    pub key: Option<String>,
    /// URL of the artifact store.
    pub artifacts: String,
    /// Folder of the template library.
    pub templates: PathBuf,
    /// Folder of the keystore.
    pub keystore: PathBuf,
    /// The only chain that is talked to.
    pub genesis: Option<H256>,
}

/// The environment, so that tests can bring their own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

fn folder(env: Environment, xdg: &str, below_home: &str) -> PathBuf {
    env(xdg)
        .filter(|dir| Path::new(dir).is_absolute())
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(env("HOME").unwrap_or_else(|| "/".into())).join(below_home)
        })
        .join("virtengine")
}

impl Config {
    /// Reads the file and puts everything together.
    ///
    /// Errors name the file with line and column, or the key that is wrong.
    pub fn load(overrides: Overrides, env: Environment) -> Result<Self> {
        let file = overrides
            .config
            .clone()
            .unwrap_or_else(|| folder(env, "XDG_CONFIG_HOME", ".config").join("ve.toml"));
        let (found, content) = match std::fs::read_to_string(&file) {
            Ok(text) => (true, parse(&file, &text)?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && overrides.config.is_none() => {
                (false, File::default())
            }
            Err(e) => {
                return Err(Failure::usage(
                    format!("configuration {}: {e}", file.display()),
                    "check the path in --config or VE_CONFIG",
                ))
            }
        };
        let data = folder(env, "XDG_DATA_HOME", ".local/share");
        let beside = |path: PathBuf| match file.parent() {
            Some(parent) => parent.join(path),
            None => path,
        };
        let genesis = match &content.genesis {
            None => None,
            Some(text) => Some(hash(text).ok_or_else(|| {
                Failure::usage(
                    format!(
                        "configuration {}: genesis: {text:?} is not 0x and 64 hexadecimal digits",
                        file.display()
                    ),
                    "take it from the chain's documentation, or leave it out",
                )
            })?),
        };
        let library = PathBuf::from("slurm-templates");
        let templates = overrides
            .templates
            .or(content.templates.map(beside))
            .unwrap_or_else(|| {
                if library.is_dir() {
                    library
                } else {
                    data.join("templates")
                }
            });
        Ok(Self {
            url: overrides
                .url
                .or(content.url)
                .unwrap_or_else(|| "ws://127.0.0.1:9944".into()),
            key: overrides.key.or(content.key),
            artifacts: overrides
                .artifacts
                .or(content.artifacts)
                .unwrap_or_else(|| format!("file://{}", data.join("artifacts").display())),
            templates,
            keystore: content
                .keystore
                .map(|k| match file.parent() {
                    Some(parent) => parent.join(k),
                    None => k,
                })
                .unwrap_or_else(|| data.join("keys")),
            genesis,
            file,
            found,
        })
    }
}

fn hash(text: &str) -> Option<H256> {
    let bytes = hex::decode(text.strip_prefix("0x")?).ok()?;
    <[u8; 32]>::try_from(bytes).ok().map(H256)
}

fn parse(path: &Path, text: &str) -> Result<File> {
    toml::from_str(text).map_err(|e| toml_failure("configuration", path, text, &e))
}

/// A TOML error as `file:line:column: what`.
pub fn toml_failure(what: &str, path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let place = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        format!(":{line}:{column}")
    });
    Failure::usage(
        format!(
            "{what} {}{}: {}",
            path.display(),
            place.unwrap_or_default(),
            error.message().lines().collect::<Vec<_>>().join(" ")
        ),
        "correct that line",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, overrides: Overrides) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ve.toml");
        std::fs::write(&file, text).unwrap();
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_string());
        let mut loaded = Config::load(
            Overrides {
                config: Some(file.clone()),
                ..overrides
            },
            &env,
        );
        if let Ok(config) = &mut loaded {
            assert_eq!(config.file, file);
            config.file = PathBuf::from("ve.toml");
            for path in [&mut config.keystore, &mut config.templates] {
                if let Ok(rest) = path.strip_prefix(dir.path()) {
                    *path = PathBuf::from("HERE").join(rest);
                }
            }
        }
        if let Err(failure) = &mut loaded {
            failure.what = failure
                .what
                .replace(&dir.path().display().to_string(), "HERE");
        }
        loaded
    }

    #[test]
    fn defaults_should_be_in_force_when_the_file_says_nothing() {
        let config = load("", Overrides::default()).unwrap();
        assert_eq!(config.url, "ws://127.0.0.1:9944");
        assert_eq!(
            config.artifacts,
            "file:///home/me/.local/share/virtengine/artifacts"
        );
        assert_eq!(
            config.keystore,
            PathBuf::from("/home/me/.local/share/virtengine/keys")
        );
        assert_eq!(config.key, None);
    }

    #[test]
    fn command_line_should_win_when_both_speak() {
        let text = "url = \"ws://a\"\nkey = \"alice\"\nkeystore = \"keys\"\ntemplates = \"lib\"";
        let overrides = Overrides {
            url: Some("ws://b".into()),
            ..Overrides::default()
        };
        let config = load(text, overrides).unwrap();
        assert_eq!(config.url, "ws://b");
        assert_eq!(config.key.as_deref(), Some("alice"));
        assert_eq!(config.keystore, PathBuf::from("HERE/keys"));
        assert_eq!(config.templates, PathBuf::from("HERE/lib"));
    }

    #[test]
    fn line_and_column_should_be_named_when_the_file_is_malformed() {
        let failure = load("url = \"ws://a\"\nkey = alice\n", Overrides::default()).unwrap_err();
        assert_eq!(failure.code, crate::failure::code::USAGE);
        assert!(
            failure.what.starts_with("configuration HERE/ve.toml:2:7: "),
            "{}",
            failure.what
        );
        let failure = load("url = \"ws://a\"\n  colour = 1\n", Overrides::default()).unwrap_err();
        assert!(
            failure
                .what
                .starts_with("configuration HERE/ve.toml:2:3: unknown field `colour`"),
            "{}",
            failure.what
        );
        let failure = load("genesis = \"0x12\"", Overrides::default()).unwrap_err();
        assert!(failure.what.contains("genesis: \"0x12\""));
    }

    #[test]
    fn file_should_be_missed_when_it_was_named_but_is_not_there() {
        let overrides = Overrides {
            config: Some("no/such/ve.toml".into()),
            ..Overrides::default()
        };
        assert_eq!(
            Config::load(overrides, &|_| None).unwrap_err().code,
            crate::failure::code::USAGE
        );
        assert!(
            !Config::load(Overrides::default(), &|name| (name == "HOME")
                .then(|| "/nowhere".into()))
            .unwrap()
            .found
        );
    }
}
