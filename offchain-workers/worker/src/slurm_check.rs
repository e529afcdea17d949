//! What `check` finds out about a SLURM cluster: whether the worker may act as the pool, SLURM answers, clocks agree, and
//! what is promised on chain is there.

use crate::config::{By, Slurm};
use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};
use ve_provider::PoolSettings;
use ve_slurm::{identity::Identity, Health};
use virtengine_primitives::hpc::ClusterSpec;

/// One line of the table: what was looked at, and how it is.
pub type Row = (&'static str, Result<String, String>);

/// Most seconds between the clocks of worker and cluster. Accounting is in the cluster's time, and the chain refuses what
/// is more than 60 s in the future.
const CLOCKS: u64 = 5;

/// What one node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    cpus: u64,
    memory_mib: u64,
    gpus: u64,
}

/// Nodes by partition, as `sinfo` lists them.
pub type Partitions = BTreeMap<String, Vec<Node>>;

/// Checks what does not need the chain. The nodes too, where they can be asked for.
pub async fn check(id: u32, slurm: &Slurm, pool: &PoolSettings) -> (Vec<Row>, Option<Partitions>) {
    let mut rows = Vec::new();
    let members: Vec<Identity> = pool.pool.members().collect();
    let Some(first) = members.first().cloned() else {
        return (rows, None);
    };
    rows.push(("pool", all_members(pool, members).await));
    let health = match pool.clients.of(&first) {
        Ok(client) => client.health().await,
        Err(error) => Health::Unknown(error),
    };
    let healthy = match health {
        Health::Ok => Ok(format!("{id}: queue and accounting answer")),
        Health::Unknown(reason) => Err(format!("{id}: {reason}")),
    };
    rows.push(("slurm", healthy));
    if matches!(slurm.by, By::Rest(_)) {
        return (rows, None);
    }
    let conf = slurm
        .conf
        .as_ref()
        .map(|path| format!("SLURM_CONF={}", path.display()));
    let said = |words: &[&str]| {
        let mut all = vec!["env".to_owned()];
        all.extend(conf.clone());
        all.extend(words.iter().map(|w| (*w).to_owned()));
        let (agent, first) = (pool.agent.clone(), first.clone());
        async move {
            let output = tokio::task::spawn_blocking(move || agent.output(&first, &all)).await;
            let output = output.map_err(|e| e.to_string())?;
            output.map_err(|e| format!("{id}: {e}"))
        }
    };
    rows.push((
        "clock",
        said(&["date", "+%s"]).await.and_then(|text| clocks(&text)),
    ));
    let nodes = said(&["sinfo", "-h", "-N", "-o", "%R|%N|%c|%m|%G"]).await;
    match nodes.and_then(|text| nodes_of(&text)) {
        Ok(partitions) => (rows, Some(partitions)),
        Err(problem) => {
            rows.push(("nodes", Err(problem)));
            (rows, None)
        }
    }
}

async fn all_members(pool: &PoolSettings, members: Vec<Identity>) -> Result<String, String> {
    let (pool, count) = (pool.clone(), members.len());
    let looked = tokio::task::spawn_blocking(move || {
        members.iter().try_for_each(|member| {
            let looked = pool.agent.is_empty(member, &pool.pool.home(member));
            looked
                .map(drop)
                .map_err(|error| format!("{}: {error}", member.user))
        })
    });
    match looked.await.map_err(|e| e.to_string())? {
        Ok(()) => Ok(format!(
            "the worker may act as {count} members, each has a directory"
        )),
        Err(error) => Err(format!(
            "{error}; run what `virtengine-worker pool` prints as root on the cluster"
        )),
    }
}

/// The worker's clock against the cluster's, which was asked for between now and a moment ago.
fn clocks(said: &str) -> Result<String, String> {
    let theirs: u64 = said
        .trim()
        .parse()
        .map_err(|_| format!("the cluster's clock says {said:?}"))?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    match now.as_secs().abs_diff(theirs) {
        apart if apart > CLOCKS => Err(format!(
            "worker and cluster are {apart} s apart: set both by NTP, usage is billed by the cluster's clock"
        )),
        apart => Ok(format!("worker and cluster are {apart} s apart")),
    }
}

fn nodes_of(text: &str) -> Result<Partitions, String> {
    let mut partitions = Partitions::new();
    for line in text.lines() {
        let unreadable = || format!("sinfo says {line:?}, which this version cannot read");
        let mut fields = line.split('|');
        let mut field = || fields.next().ok_or_else(unreadable);
        let (partition, _, cpus, memory, gres) = (field()?, field()?, field()?, field()?, field()?);
        let number = |text: &str| text.trim_end_matches('+').parse().map_err(|_| unreadable());
        let node = Node {
            cpus: number(cpus)?,
            memory_mib: number(memory)?,
            gpus: gpus(gres),
        };
        partitions
            .entry(partition.to_owned())
            .or_default()
            .push(node);
    }
    Ok(partitions)
}

/// `gpu:a100:4(S:0-1),shard:8` has 4.
fn gpus(gres: &str) -> u64 {
    let mut depth = 0;
    let plain: String = gres
        .chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => return depth == 0,
            }
            false
        })
        .collect();
    plain
        .split(',')
        .filter(|part| part.starts_with("gpu:"))
        .filter_map(|part| part.rsplit(':').next()?.parse::<u64>().ok())
        .sum()
}

/// Whether the cluster has what the chain says it has: a job that fits the promise and no node costs the bond.
pub fn promise(spec: &ClusterSpec, partitions: &Partitions) -> Result<String, String> {
    for promised in &spec.partitions {
        let name = String::from_utf8_lossy(&promised.name).into_owned();
        let Some(nodes) = partitions.get(&name) else {
            let known: Vec<_> = partitions.keys().map(String::as_str).collect();
            return Err(format!(
                "SLURM has no partition {name} (it has {}): `ve cluster update`, or make it",
                known.join(", ")
            ));
        };
        let enough = nodes
            .iter()
            .filter(|node| {
                node.cpus >= u64::from(promised.cpus_per_node)
                    && node.memory_mib >= promised.memory_mib_per_node
                    && node.gpus >= u64::from(promised.gpus_per_node)
            })
            .count();
        if u64::try_from(enough).unwrap_or(u64::MAX) < u64::from(promised.nodes) {
            return Err(format!(
                "partition {name}: the chain promises {} nodes of {} processors, {} MiB and {} accelerators, SLURM has \
                 {enough} such: `ve cluster update` with less",
                promised.nodes,
                promised.cpus_per_node,
                promised.memory_mib_per_node,
                promised.gpus_per_node
            ));
        }
    }
    Ok(format!(
        "what the chain promises is there, {} partitions",
        spec.partitions.len()
    ))
}

/// Whether each template can run at all: its least request fits the nodes of some partition.
pub fn templates(
    library: &ve_provider::Library,
    partitions: &Partitions,
) -> Result<String, String> {
    let mut fit = 0usize;
    for (name, least) in library.least() {
        let nodes = u64::from(least.nodes.max(1));
        let fits = |node: &&Node| {
            node.cpus.saturating_mul(nodes) >= u64::from(least.cpus)
                && node.memory_mib.saturating_mul(nodes) >= least.memory_mib
                && node.gpus.saturating_mul(nodes) >= u64::from(least.gpus)
        };
        let can = |all: &Vec<Node>| {
            let some = all.iter().filter(fits).count();
            u64::try_from(some).unwrap_or(u64::MAX) >= nodes
        };
        if !partitions.values().any(can) {
            return Err(format!(
                "{name} needs {} nodes with {} processors, {} MiB and {} accelerators together, no partition has them: \
                 take it out of the cluster's templates",
                least.nodes, least.cpus, least.memory_mib, least.gpus
            ));
        }
        fit = fit.saturating_add(1);
    }
    Ok(format!("{fit} templates fit the nodes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use virtengine_primitives::hpc::Partition;

    fn name(text: &str) -> virtengine_primitives::Name {
        text.as_bytes().to_vec().try_into().unwrap()
    }

    fn spec(partition: &str, nodes: u32, cpus: u32, gpus: u32) -> ClusterSpec {
        let partition = Partition {
            name: name(partition),
            nodes,
            cpus_per_node: cpus,
            memory_mib_per_node: 4096,
            gpus_per_node: gpus,
            gpu_type: 0,
            max_walltime: 3600,
            plan: 0,
        };
        ClusterSpec {
            name: name("c"),
            partitions: vec![partition].try_into().unwrap(),
            max_open_jobs: 1,
            min_score: 0,
            custom_scripts: false,
        }
    }

    #[test]
    fn promise_should_name_what_is_missing() {
        let said = "main|n1|8|8000|gpu:2\nmain|n2|8|8000|(null)\nshort|n1|8|8000|gpu:a100:4(S:0-1,2),shard:9\n";
        let partitions = nodes_of(said).unwrap();
        assert_eq!(partitions["short"][0].gpus, 4);
        assert!(promise(&spec("main", 2, 8, 0), &partitions).is_ok());
        assert!(promise(&spec("main", 1, 8, 2), &partitions).is_ok());
        for (bad, words) in [
            (
                spec("gone", 1, 1, 0),
                "no partition gone (it has main, short)",
            ),
            (spec("main", 3, 8, 0), "promises 3 nodes"),
            (spec("main", 2, 8, 1), "1 accelerators"),
        ] {
            let error = promise(&bad, &partitions).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert!(nodes_of("main n1 8").is_err());
    }

    #[test]
    fn clocks_should_be_refused_when_they_are_apart() {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert!(clocks(&format!("{now}\n")).is_ok());
        assert!(clocks(&format!("{}\n", now - 3600))
            .unwrap_err()
            .contains("NTP"));
        assert!(clocks("soon").is_err());
    }
}
