//! The clusters of a configuration.

use super::{Checker, ConfigError};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};
use toml::Spanned;
use ve_slurm::{
    cli::Ssh,
    identity::{Pool, PoolError},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCluster {
    id: Spanned<u32>,
    scheduler: Spanned<String>,
    work_dir: Spanned<PathBuf>,
    // local
    state_dir: Option<Spanned<PathBuf>>,
    cpus: Option<Spanned<u32>>,
    memory_mib: Option<Spanned<u64>>,
    // slurm-cli, slurm-rest
    slurm_conf: Option<Spanned<PathBuf>>,
    custom_scripts: Option<Spanned<bool>>,
    gpu_types: Option<Spanned<BTreeMap<String, String>>>,
    pool: Option<Spanned<RawPool>>,
    // slurm-cli
    ssh: Option<Spanned<RawSsh>>,
    // slurm-rest
    rest: Option<Spanned<RawRest>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPool {
    users: Spanned<String>,
    size: Spanned<u16>,
    dir: Spanned<PathBuf>,
    account: Option<Spanned<String>>,
    qos: Option<Spanned<String>>,
    jobs_each: Option<Spanned<u32>>,
    worker_program: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSsh {
    host: Spanned<String>,
    port: Option<Spanned<u16>>,
    user: Spanned<String>,
    key: Spanned<PathBuf>,
    known_hosts: Spanned<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRest {
    url: Spanned<String>,
    cluster: Spanned<String>,
    key_file: Option<Spanned<PathBuf>>,
    token_file: Option<Spanned<PathBuf>>,
}

/// One cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its number on chain.
    pub id: u32,
    /// Where the worker keeps what it needs for each job.
    pub work_dir: PathBuf,
    /// What runs its jobs.
    pub scheduler: Kind,
}

/// What runs a cluster's jobs.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Processes of this machine.
    Local(Local),
    /// SLURM.
    Slurm(Box<Slurm>),
}

/// Processes of this machine.
#[derive(Clone, Debug)]
pub struct Local {
    /// Where the scheduler keeps its state.
    pub state_dir: PathBuf,
    /// Processors that jobs may use together.
    pub cpus: u32,
    /// Memory that jobs may use together, in MiB.
    pub memory_mib: u64,
}

/// A SLURM cluster.
#[derive(Clone, Debug)]
pub struct Slurm {
    /// Its `slurm.conf`, if it is not where SLURM looks for it.
    pub conf: Option<PathBuf>,
    /// As whom jobs run.
    pub pool: Pool,
    /// The worker's program on the machine where the pool's directories can be reached.
    pub program: PathBuf,
    /// Whether customers' own scripts are run.
    pub custom_scripts: bool,
    /// SLURM's names of the kinds of accelerator that the chain knows by number.
    pub gpu_types: BTreeMap<u8, String>,
    /// How SLURM is spoken to.
    pub by: By,
}

/// How SLURM is spoken to.
#[derive(Clone, Debug)]
pub enum By {
    /// Its commands, here or on another machine.
    Commands(Option<Ssh>),
    /// `slurmrestd`.
    Rest(Rest),
}

/// A `slurmrestd`.
#[derive(Clone, Debug)]
pub struct Rest {
    /// Where it listens.
    pub url: String,
    /// The cluster's name in accounting.
    pub cluster: String,
    /// What tokens come from.
    pub token: Token,
}

/// Where a token comes from.
#[derive(Clone, Debug)]
pub enum Token {
    /// Made from the cluster's HS256 key for each member, again and again, each good for a short time.
    Key(PathBuf),
    /// A token of SLURM's own user, who may act for every member, in a file that somebody else renews.
    File(PathBuf),
}

/// Every wrong value is an error at its place.
type Checked<T> = Result<T, ConfigError>;

/// All clusters, each with what it needs and nothing else.
pub(super) fn clusters(check: &Checker<'_>, raw: Vec<RawCluster>) -> Checked<Vec<Cluster>> {
    let (mut ids, mut directories) = (BTreeSet::new(), BTreeSet::new());
    let mut users = BTreeSet::new();
    let mut clusters = Vec::new();
    for cluster in raw {
        let mut own = |directory: &Spanned<PathBuf>, field: &str| -> Checked<PathBuf> {
            let path = check.absolute(directory.get_ref());
            let message =
                format!("provider.clusters.{field}: is used twice; every cluster needs its own");
            check.ensure(directory, directories.insert(path.clone()), &message)?;
            Ok(path)
        };
        let message = "provider.clusters.id: is there twice; every cluster has one entry";
        check.ensure(&cluster.id, ids.insert(*cluster.id.get_ref()), message)?;
        let work_dir = own(&cluster.work_dir, "work_dir")?;
        if let Some(pool) = &cluster.pool {
            let prefix = &pool.get_ref().users;
            let message = "provider.clusters.pool.users: is used twice; members of two pools would be the same unix users";
            check.ensure(prefix, users.insert(prefix.get_ref().clone()), message)?;
        }
        belongs(check, &cluster)?;
        let id = *cluster.id.get_ref();
        let scheduler = match cluster.scheduler.get_ref().as_str() {
            "local" => {
                let state_dir = needed(check, &cluster.scheduler, &cluster.state_dir, "state_dir")?;
                let state_dir = own(state_dir, "state_dir")?;
                Kind::Local(local(check, &cluster, state_dir)?)
            }
            "slurm-cli" => {
                let ssh = cluster.ssh.as_ref().map(|raw| ssh(check, raw.get_ref()));
                Kind::Slurm(Box::new(slurm(
                    check,
                    &cluster,
                    By::Commands(ssh.transpose()?),
                )?))
            }
            _ => {
                let raw = needed(check, &cluster.scheduler, &cluster.rest, "rest")?;
                let by = By::Rest(rest(check, raw)?);
                Kind::Slurm(Box::new(slurm(check, &cluster, by)?))
            }
        };
        clusters.push(Cluster {
            id,
            work_dir,
            scheduler,
        });
    }
    Ok(clusters)
}

/// A field that this kind of scheduler cannot do without.
fn needed<'a, T>(
    check: &Checker<'_>,
    scheduler: &Spanned<String>,
    field: &'a Option<Spanned<T>>,
    name: &str,
) -> Checked<&'a Spanned<T>> {
    field.as_ref().ok_or_else(|| {
        let kind = scheduler.get_ref();
        let message = format!(
            "provider.clusters.{name}: is missing; {kind:?} needs it, `virtengine-worker init` writes an example"
        );
        check.wrong(scheduler.span().start, message)
    })
}

/// Fields of another kind of scheduler are a mistake that would otherwise go unnoticed.
fn belongs(check: &Checker<'_>, cluster: &RawCluster) -> Checked<()> {
    let at = |span: std::ops::Range<usize>| span.start;
    let kind = cluster.scheduler.get_ref().as_str();
    let known = ["local", "slurm-cli", "slurm-rest"].contains(&kind);
    let message = "provider.clusters.scheduler: must be \"local\", \"slurm-cli\" or \"slurm-rest\"";
    check.ensure(&cluster.scheduler, known, message)?;
    let slurm = &["slurm-cli", "slurm-rest"][..];
    let fields = [
        (
            "state_dir",
            cluster.state_dir.as_ref().map(|f| at(f.span())),
            &["local"][..],
        ),
        (
            "cpus",
            cluster.cpus.as_ref().map(|f| at(f.span())),
            &["local"],
        ),
        (
            "memory_mib",
            cluster.memory_mib.as_ref().map(|f| at(f.span())),
            &["local"],
        ),
        (
            "slurm_conf",
            cluster.slurm_conf.as_ref().map(|f| at(f.span())),
            slurm,
        ),
        (
            "custom_scripts",
            cluster.custom_scripts.as_ref().map(|f| at(f.span())),
            slurm,
        ),
        (
            "gpu_types",
            cluster.gpu_types.as_ref().map(|f| at(f.span())),
            slurm,
        ),
        ("pool", cluster.pool.as_ref().map(|f| at(f.span())), slurm),
        (
            "ssh",
            cluster.ssh.as_ref().map(|f| at(f.span())),
            &["slurm-cli"],
        ),
        (
            "rest",
            cluster.rest.as_ref().map(|f| at(f.span())),
            &["slurm-rest"],
        ),
    ];
    for (name, place, kinds) in fields {
        if let (Some(place), false) = (place, kinds.contains(&kind)) {
            let kinds = kinds.join(" and ");
            let message = format!(
                "provider.clusters.{name}: is for the scheduler {kinds}; leave it out, or change scheduler = {kind:?}"
            );
            return Err(check.wrong(place, message));
        }
    }
    Ok(())
}

fn local(check: &Checker<'_>, cluster: &RawCluster, state_dir: PathBuf) -> Checked<Local> {
    let machine = ve_slurm::Capacity::of_this_machine();
    if let Some(cpus) = &cluster.cpus {
        let message = "provider.clusters.cpus: must be at least 1";
        check.ensure(cpus, *cpus.get_ref() > 0, message)?;
    }
    if let Some(memory) = &cluster.memory_mib {
        let message = "provider.clusters.memory_mib: must be at least 1";
        check.ensure(memory, *memory.get_ref() > 0, message)?;
    }
    Ok(Local {
        state_dir,
        cpus: cluster.cpus.as_ref().map_or(machine.cpus, |c| *c.get_ref()),
        memory_mib: cluster
            .memory_mib
            .as_ref()
            .map_or(machine.memory_mib, |m| *m.get_ref()),
    })
}

/// A file that must be there.
fn file(check: &Checker<'_>, path: &Spanned<PathBuf>, field: &str) -> Checked<PathBuf> {
    let absolute = check.absolute(path.get_ref());
    let message = format!("{field}: is not a file that can be seen here; name one that is");
    check.ensure(path, absolute.is_file(), &message)?;
    Ok(absolute)
}

fn slurm(check: &Checker<'_>, cluster: &RawCluster, by: By) -> Checked<Slurm> {
    let raw = needed(check, &cluster.scheduler, &cluster.pool, "pool")?;
    let remote = matches!(by, By::Commands(Some(_)));
    let conf = match &cluster.slurm_conf {
        // On another machine it cannot be seen from here.
        Some(path) if remote => Some(path.get_ref().clone()),
        Some(path) => Some(file(check, path, "provider.clusters.slurm_conf")?),
        None => None,
    };
    let program = match &raw.get_ref().worker_program {
        Some(path) => path.get_ref().clone(),
        None => {
            std::env::current_exe().unwrap_or_else(|_| "/usr/local/bin/virtengine-worker".into())
        }
    };
    Ok(Slurm {
        conf,
        pool: pool(check, raw)?,
        program,
        gpu_types: gpu_types(check, cluster.gpu_types.as_ref())?,
        custom_scripts: cluster
            .custom_scripts
            .as_ref()
            .is_some_and(|c| *c.get_ref()),
        by,
    })
}

fn gpu_types(
    check: &Checker<'_>,
    raw: Option<&Spanned<BTreeMap<String, String>>>,
) -> Checked<BTreeMap<u8, String>> {
    let Some(raw) = raw else {
        return Ok(BTreeMap::new());
    };
    let is_word = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let all = raw.get_ref().iter().map(|(number, name)| {
        number
            .parse()
            .ok()
            .filter(|number| *number > 0 && is_word(name))
            .map(|number: u8| (number, name.clone()))
    });
    let message = "provider.clusters.gpu_types: must give numbers from 1 to 255 the names that SLURM's Gres has, as { 1 = \"a100\" }";
    let all: Option<_> = all.collect();
    all.ok_or_else(|| check.wrong(raw.span().start, message))
}

fn pool(check: &Checker<'_>, raw: &Spanned<RawPool>) -> Checked<Pool> {
    let whole = raw.span().start;
    let raw = raw.get_ref();
    let text = |field: &Option<Spanned<String>>| field.as_ref().map(|f| f.get_ref().clone());
    let made = Pool::new(
        raw.users.get_ref(),
        *raw.size.get_ref(),
        raw.dir.get_ref(),
        text(&raw.account).as_deref().unwrap_or("virtengine"),
        text(&raw.qos).as_deref(),
        raw.jobs_each.as_ref().map_or(1_000, |n| *n.get_ref()),
    );
    made.map_err(|error| {
        let at = match error {
            PoolError::Prefix => raw.users.span().start,
            PoolError::Size => raw.size.span().start,
            PoolError::Dir => raw.dir.span().start,
            PoolError::Account => raw.account.as_ref().map_or(whole, |f| f.span().start),
            PoolError::Qos => raw.qos.as_ref().map_or(whole, |f| f.span().start),
            PoolError::JobsEach => raw.jobs_each.as_ref().map_or(whole, |f| f.span().start),
        };
        check.wrong(at, format!("provider.clusters.pool.{error}"))
    })
}

fn ssh(check: &Checker<'_>, raw: &RawSsh) -> Checked<Ssh> {
    // What begins with a dash would be an option of ssh.
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_:".contains(&b))
    };
    let message = "provider.clusters.ssh.host: must be a name or an address of a machine";
    check.ensure(&raw.host, plain(raw.host.get_ref()), message)?;
    let message = "provider.clusters.ssh.user: must be the name of a user there";
    check.ensure(&raw.user, plain(raw.user.get_ref()), message)?;
    let key = file(check, &raw.key, "provider.clusters.ssh.key")?;
    let known_hosts = file(check, &raw.known_hosts, "provider.clusters.ssh.known_hosts")?;
    Ok(Ssh {
        host: raw.host.get_ref().clone(),
        port: raw.port.as_ref().map_or(22, |p| *p.get_ref()),
        user: raw.user.get_ref().clone(),
        key,
        known_hosts,
    })
}

fn rest(check: &Checker<'_>, raw: &Spanned<RawRest>) -> Checked<Rest> {
    let whole = raw.span().start;
    let raw = raw.get_ref();
    let url = raw.url.get_ref();
    let message =
        "provider.clusters.rest.url: must begin with http:// or https://, as http://127.0.0.1:6820";
    let is_url = ["http://", "https://"].iter().any(|s| url.starts_with(s));
    check.ensure(&raw.url, is_url, message)?;
    let name = raw.cluster.get_ref();
    let message = "provider.clusters.rest.cluster: must be the ClusterName of slurm.conf";
    let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    check.ensure(&raw.cluster, is_word, message)?;
    let token = match (&raw.key_file, &raw.token_file) {
        (Some(key), None) => Token::Key(file(check, key, "provider.clusters.rest.key_file")?),
        (None, Some(token)) => {
            Token::File(file(check, token, "provider.clusters.rest.token_file")?)
        }
        _ => {
            let message = "provider.clusters.rest: needs key_file (the cluster's HS256 key, from which the worker makes \
                           tokens) or token_file (one that somebody else renews), and not both";
            return Err(check.wrong(whole, message));
        }
    };
    Ok(Rest {
        url: url.trim_end_matches('/').to_owned(),
        cluster: name.clone(),
        token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, EXAMPLE};

    const SLURM: &str = r#"
[[provider.clusters]]
id = 1
scheduler = "slurm-rest"
work_dir = "slurm-jobs"
gpu_types = { 1 = "a100" }
[provider.clusters.pool]
users = "vejob"
size = 16
dir = "/srv/virtengine"
[provider.clusters.rest]
url = "http://127.0.0.1:6820"
cluster = "linux"
key_file = "jwt.key"
"#;

    fn parse(change: impl Fn(String) -> String) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("slurm-templates")).unwrap();
        for file in ["jwt.key", "ssh.key", "known_hosts"] {
            std::fs::write(directory.path().join(file), "x").unwrap();
        }
        let text = format!("{EXAMPLE}{}", change(SLURM.to_owned()));
        Config::parse(&directory.path().join("worker.toml"), &text)
    }

    #[test]
    fn slurm_should_be_read_whole() {
        let config = parse(|text| text).unwrap();
        let clusters = config.provider.unwrap().clusters;
        let Kind::Slurm(slurm) = &clusters[1].scheduler else {
            panic!("{clusters:?}")
        };
        assert_eq!(slurm.pool.size(), 16);
        assert_eq!(slurm.gpu_types[&1], "a100");
        assert!(matches!(&slurm.by, By::Rest(rest) if matches!(rest.token, Token::Key(_))));
    }

    #[test]
    fn example_should_hold_a_slurm_cluster_that_is_read_when_its_marks_are_removed() {
        let commented = EXAMPLE.split("# [[provider.clusters]]").nth(1).unwrap();
        let commented = commented.split("\n#\n").next().unwrap();
        let plain: String = commented
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
            .filter(|line| !line.starts_with("slurm_conf"))
            .collect();
        let plain =
            format!("[[provider.clusters]]\n{plain}").replace("ssh.known_hosts", "known_hosts");
        let config = parse(|_| plain.clone()).unwrap();
        let clusters = config.provider.unwrap().clusters;
        let Kind::Slurm(slurm) = &clusters[1].scheduler else {
            panic!("{clusters:?}")
        };
        assert!(matches!(&slurm.by, By::Commands(Some(ssh)) if ssh.port == 22));
    }

    #[test]
    fn error_should_name_line_field_and_remedy_when_a_cluster_is_wrong() {
        let cases: &[(&str, &str, &str)] = &[
            (
                "\"slurm-rest\"",
                "\"pbs\"",
                "provider.clusters.scheduler: must be",
            ),
            ("id = 1", "id = 0", "is there twice"),
            ("\"slurm-jobs\"", "\"jobs\"", "work_dir: is used twice"),
            (
                "id = 1",
                "id = 1\ncpus = 4",
                "provider.clusters.cpus: is for the scheduler local",
            ),
            (
                "users = \"vejob\"",
                "users = \"Ve Job\"",
                "pool.users: must be",
            ),
            ("size = 16", "size = 0", "pool.size: must be between"),
            (
                "dir = \"/srv/virtengine\"",
                "dir = \"srv\"",
                "pool.dir: must be an absolute path",
            ),
            ("size = 16", "size = 16\nqos = \"\"", "pool.qos: must be"),
            (
                "size = 16",
                "size = 16\njobs_each = 0",
                "pool.jobs_each: must be at least 1",
            ),
            ("http://", "ftp://", "rest.url: must begin with http://"),
            (
                "\"jwt.key\"",
                "\"none.key\"",
                "rest.key_file: is not a file",
            ),
            ("key_file = \"jwt.key\"", "", "rest: needs key_file"),
            (
                "1 = \"a100\"",
                "0 = \"a100\"",
                "gpu_types: must give numbers",
            ),
            (
                "cluster = \"linux\"",
                "cluster = \"\"",
                "rest.cluster: must be",
            ),
            (
                "\"slurm-rest\"",
                "\"slurm-cli\"",
                "provider.clusters.rest: is for the scheduler slurm-rest",
            ),
            (
                "[provider.clusters.rest]",
                "[provider.clusters.tcp]",
                "unknown field `tcp`",
            ),
        ];
        for (from, to, expected) in cases {
            assert!(SLURM.contains(from), "{from}");
            let error = parse(|text| text.replacen(from, to, 1)).unwrap_err();
            let ConfigError::Wrong {
                line,
                column,
                message,
                ..
            } = &error
            else {
                panic!("{error}");
            };
            let first = EXAMPLE.lines().count();
            assert!(message.contains(expected), "{to}: {message}");
            assert!(*line > first && *column > 0, "{to}: {line}:{column}");
        }
        for (section, field) in [
            ("pool", "provider.clusters.pool: is missing"),
            ("rest", "provider.clusters.rest: is missing"),
        ] {
            let without = |text: String| {
                let start = text
                    .find(&format!("[provider.clusters.{section}]"))
                    .unwrap();
                let end = text[start + 1..]
                    .find("\n[")
                    .map_or(text.len(), |at| start + 1 + at);
                format!("{}{}", &text[..start], &text[end..])
            };
            let error = parse(without).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
