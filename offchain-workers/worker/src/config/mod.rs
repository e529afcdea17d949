//! The configuration: one TOML file, read and checked whole before anything is opened.

mod cluster;

pub use cluster::{By, Cluster, Kind, Local, Rest, Slurm, Token};

use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use toml::Spanned;

/// What is wrong with a configuration: where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "{path}: {source}; name the file with --config, or write one with `virtengine-worker init`"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{path}:{line}:{column}: {message}")]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Which field, and the remedy.
        message: String,
    },
}

/// The whole configuration, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    chain: RawChain,
    keys: RawKeys,
    store: RawStore,
    artifacts: RawArtifacts,
    templates: RawTemplates,
    #[serde(default)]
    metrics: RawMetrics,
    #[serde(default)]
    log: RawLog,
    provider: Option<RawProvider>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChain {
    url: Spanned<String>,
    genesis: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeys {
    file: Option<Spanned<PathBuf>>,
    signing_env: Option<Spanned<String>>,
    encryption_env: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    path: Spanned<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArtifacts {
    url: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTemplates {
    dir: Spanned<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMetrics {
    listen: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    filter: Option<Spanned<String>>,
    #[serde(default)]
    json: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProvider {
    clusters: Spanned<Vec<cluster::RawCluster>>,
    usage_report_s: Option<Spanned<u64>>,
    log_s: Option<Spanned<u64>>,
    poll_s: Option<Spanned<u64>>,
    retention_s: Option<u64>,
    input_grace_s: Option<u64>,
    drain_s: Option<u64>,
    parallel: Option<Spanned<usize>>,
    customer_quota_mib: Option<u64>,
    job_path: Option<String>,
}

/// A checked configuration. Paths are absolute: relative ones count from the file's own directory.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from.
    pub path: PathBuf,
    /// WebSocket URL of the node.
    pub chain_url: String,
    /// Expected genesis hash.
    pub genesis: Option<sp_core::H256>,
    /// Where the secrets come from.
    pub keys: Keys,
    /// The SQLite file.
    pub store: PathBuf,
    /// URL of the artifact store.
    pub artifacts: String,
    /// Directory of the template library.
    pub templates: PathBuf,
    /// Where metrics and health are served.
    pub listen: SocketAddr,
    /// Filter of log lines.
    pub log_filter: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
    /// The provider role.
    pub provider: Option<Provider>,
}

/// Where the secrets come from.
#[derive(Clone, Debug)]
pub struct Keys {
    /// A key file that `key new` made.
    pub file: Option<PathBuf>,
    /// Environment variable with a secret URI that signs, instead of the file's.
    pub signing_env: Option<String>,
    /// Environment variable with the hexadecimal encryption secret, instead of the file's.
    pub encryption_env: Option<String>,
}

/// The provider role.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The clusters it looks after.
    pub clusters: Vec<Cluster>,
    /// Between two usage reports of a running job.
    pub usage_report: Duration,
    /// Between two looks at a running job's log.
    pub log: Duration,
    /// Longest time between two looks at everything.
    pub poll: Duration,
    /// For which an ended job's directory is kept.
    pub retention: Duration,
    /// For which a missing input is waited for.
    pub input_grace: Duration,
    /// For which steps under way are waited for at the end.
    pub drain: Duration,
    /// Most steps at once.
    pub parallel: usize,
    /// Most bytes that one customer's jobs may take on one cluster.
    pub customer_quota: Option<u64>,
    /// `PATH` of jobs.
    pub job_path: String,
}

struct Checker<'a> {
    path: &'a Path,
    text: &'a str,
    base: PathBuf,
}

impl Checker<'_> {
    fn wrong(&self, at: usize, message: impl Into<String>) -> ConfigError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |rest| rest.chars().count())
            + 1;
        ConfigError::Wrong {
            path: self.path.to_owned(),
            line,
            column,
            message: message.into(),
        }
    }

    fn ensure<T>(&self, value: &Spanned<T>, holds: bool, message: &str) -> Result<(), ConfigError> {
        if holds {
            Ok(())
        } else {
            Err(self.wrong(value.span().start, message))
        }
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    fn seconds(
        &self,
        value: Option<Spanned<u64>>,
        default: u64,
        field: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Duration, ConfigError> {
        let Some(value) = value else {
            return Ok(Duration::from_secs(default));
        };
        let message = format!(
            "{field}: must be between {} and {} seconds",
            range.start(),
            range.end()
        );
        self.ensure(&value, range.contains(value.get_ref()), &message)?;
        Ok(Duration::from_secs(value.into_inner()))
    }
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Checks the text of a file that lies at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let base = absolute.parent().map(Path::to_owned).unwrap_or_default();
        let check = Checker { path, text, base };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            check.wrong(at, error.message().trim_end().to_owned())
        })?;

        let url = &raw.chain.url;
        let is_url = url.get_ref().starts_with("ws://") || url.get_ref().starts_with("wss://");
        check.ensure(
            url,
            is_url,
            "chain.url: must begin with ws:// or wss://, as ws://127.0.0.1:9944",
        )?;
        let genesis = match &raw.chain.genesis {
            None => None,
            Some(text) => {
                let digits = text.get_ref().trim_start_matches("0x");
                let mut bytes = [0u8; 32];
                let message = "chain.genesis: must be 64 hexadecimal digits with or without 0x (`ve doctor` shows it), or be left out";
                check.ensure(text, decode_hex(digits, &mut bytes), message)?;
                Some(sp_core::H256(bytes))
            }
        };

        let RawKeys {
            file,
            signing_env,
            encryption_env,
        } = raw.keys;
        for (variable, field) in [
            (&signing_env, "keys.signing_env"),
            (&encryption_env, "keys.encryption_env"),
        ] {
            if let Some(variable) = variable {
                let message = format!(
                    "{field}: the environment variable is not set; set it, or use keys.file"
                );
                check.ensure(
                    variable,
                    std::env::var_os(variable.get_ref()).is_some(),
                    &message,
                )?;
            }
        }
        if file.is_none() && (signing_env.is_none() || encryption_env.is_none()) {
            let at = text.find("[keys]").unwrap_or(0);
            return Err(check.wrong(
                at,
                "keys.file: is missing; make one with `virtengine-worker key new --out FILE`",
            ));
        }
        let keys = Keys {
            file: file.map(|f| check.absolute(f.get_ref())),
            signing_env: signing_env.map(Spanned::into_inner),
            encryption_env: encryption_env.map(Spanned::into_inner),
        };

        let artifacts = &raw.artifacts.url;
        let is_file = artifacts.get_ref().starts_with("file:///");
        check.ensure(
            artifacts,
            is_file,
            "artifacts.url: must be file:///absolute/folder",
        )?;
        let templates = check.absolute(raw.templates.dir.get_ref());
        let message = "templates.dir: is not a directory; name the folder of the template library";
        check.ensure(&raw.templates.dir, templates.is_dir(), message)?;
        let listen = match &raw.metrics.listen {
            None => SocketAddr::from(([127, 0, 0, 1], 9616)),
            Some(text) => text.get_ref().parse().map_err(|_| {
                check.wrong(
                    text.span().start,
                    "metrics.listen: must be an address and a port, as 127.0.0.1:9616",
                )
            })?,
        };
        let log_filter = match &raw.log.filter {
            None => "info".to_owned(),
            Some(filter) => {
                let good = tracing_subscriber::EnvFilter::try_new(filter.get_ref()).is_ok();
                check.ensure(filter, good, "log.filter: is not a filter; use a level or crate=level, as info,ve_provider=debug")?;
                filter.get_ref().clone()
            }
        };
        let provider = raw.provider.map(|p| provider(&check, p)).transpose()?;
        Ok(Self {
            path: path.to_owned(),
            chain_url: raw.chain.url.into_inner(),
            genesis,
            keys,
            store: check.absolute(raw.store.path.get_ref()),
            artifacts: raw.artifacts.url.into_inner(),
            templates,
            listen,
            log_filter,
            log_json: raw.log.json,
            provider,
        })
    }
}

fn decode_hex(digits: &str, to: &mut [u8; 32]) -> bool {
    if digits.len() != 64 || !digits.is_ascii() {
        return false;
    }
    to.iter_mut().enumerate().all(|(i, byte)| {
        match u8::from_str_radix(&digits[2 * i..2 * i + 2], 16) {
            Ok(value) => {
                *byte = value;
                true
            }
            Err(_) => false,
        }
    })
}

/// Most steps at once. Each may hold one thread that waits for another one, of 512.
const MOST_STEPS: usize = 200;

fn provider(check: &Checker<'_>, raw: RawProvider) -> Result<Provider, ConfigError> {
    let message = "provider.clusters: name at least one [[provider.clusters]]";
    check.ensure(&raw.clusters, !raw.clusters.get_ref().is_empty(), message)?;
    let clusters = cluster::clusters(check, raw.clusters.into_inner())?;
    if let Some(parallel) = &raw.parallel {
        let message = format!("provider.parallel: must be between 1 and {MOST_STEPS}");
        let some = (1..=MOST_STEPS).contains(parallel.get_ref());
        check.ensure(parallel, some, &message)?;
    }
    Ok(Provider {
        clusters,
        usage_report: check.seconds(
            raw.usage_report_s,
            300,
            "provider.usage_report_s",
            1..=86_400,
        )?,
        log: check.seconds(raw.log_s, 5, "provider.log_s", 1..=3_600)?,
        poll: check.seconds(raw.poll_s, 6, "provider.poll_s", 1..=600)?,
        retention: Duration::from_secs(raw.retention_s.unwrap_or(24 * 3600)),
        input_grace: Duration::from_secs(raw.input_grace_s.unwrap_or(60)),
        drain: Duration::from_secs(raw.drain_s.unwrap_or(30)),
        parallel: raw.parallel.map_or(MOST_STEPS, Spanned::into_inner),
        customer_quota: raw
            .customer_quota_mib
            .map(|mib| mib.saturating_mul(1 << 20)),
        job_path: raw
            .job_path
            .unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
    })
}

/// An example that only wants its numbers changed.
pub const EXAMPLE: &str = include_str!("../example.toml");

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("slurm-templates")).unwrap();
        let path = directory.path().join("worker.toml");
        (directory, path)
    }

    fn error(change: impl Fn(String) -> String) -> String {
        let (_directory, path) = example();
        Config::parse(&path, &change(EXAMPLE.to_owned()))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn example_should_be_a_valid_configuration() {
        let (directory, path) = example();
        let config = Config::parse(&path, EXAMPLE).unwrap();
        let provider = config.provider.unwrap();
        assert_eq!(provider.clusters.len(), 1);
        assert_eq!(config.store, directory.path().join("worker.db"));
    }

    #[test]
    fn error_should_name_line_field_and_remedy_when_something_is_wrong() {
        let cases: &[(&str, &str, &[&str])] = &[
            (
                "ws://127.0.0.1:9944",
                "http://x",
                &[":6:7:", "chain.url", "ws://"],
            ),
            (
                "127.0.0.1:9616",
                "nowhere",
                &["metrics.listen", "127.0.0.1:9616"],
            ),
            (
                "\"local\"",
                "\"slurm\"",
                &["provider.clusters.scheduler", "slurm-cli"],
            ),
            ("id = 0", "id = \"zero\"", &["invalid type", "u32"]),
            ("id = 0", "di = 0", &["unknown field `di`", "expected"]),
            ("file = \"worker.key\"", "", &["keys.file", "key new"]),
            (
                "file = \"worker.key\"",
                "signing_env = \"VE_NO_SUCH_VARIABLE\"",
                &["keys.signing_env", "not set"],
            ),
            (
                "usage_report_s = 300",
                "usage_report_s = 0",
                &["provider.usage_report_s", "between"],
            ),
            (
                "dir = \"slurm-templates\"",
                "dir = \"nowhere\"",
                &["templates.dir", "not a directory"],
            ),
            ("[chain]", "[chain", &[":5:"]),
        ];
        for (from, to, expected) in cases {
            let message = error(|text| {
                assert!(text.contains(from), "the example has no {from}");
                text.replacen(from, to, 1)
            });
            for part in *expected {
                assert!(message.contains(part), "{to}: {message}");
            }
        }
        let message = error(|text| text.replacen("[chain]", "genesis = 3\n[chain]", 1));
        assert!(message.contains("unknown field `genesis`"), "{message}");
    }

    #[test]
    fn load_should_say_how_to_make_a_file_when_there_is_none() {
        let message = Config::load(Path::new("no-such-file.toml"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("virtengine-worker init"), "{message}");
    }
}
