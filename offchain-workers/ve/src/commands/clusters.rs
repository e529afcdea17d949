//! Finding clusters.

use crate::{
    amounts::Amounts, cli::Clusters, context::Context, failure::Result, library::Library, ui, units,
};
use serde_json::{json, Value};
use ve_chain::{money, At, H256};
use virtengine_primitives::{
    billing::PricePlan,
    hpc::{Cluster, ClusterState, Partition, Resources},
    AssetKind, Balance, ClusterId,
};

/// `ve clusters`.
pub async fn find(context: &Context, wanted: Clusters) -> Result {
    let template = match &wanted.template {
        Some(name) => Some(Library::open(&context.config.templates)?.find(name)?.hash()),
        None => None,
    };
    let resources = Resources {
        nodes: 1,
        cpus: wanted.cores,
        memory_mib: wanted.mem.unwrap_or(1),
        gpus: wanted.gpus,
        gpu_type: 0,
        array_tasks: 1,
    };
    let walltime = wanted.time.as_secs();
    let at = context.chain().await?.at_finalized().await?;
    let mut rows = Vec::new();
    for (id, cluster) in at.all_clusters().await? {
        if cluster.state != ClusterState::Open {
            continue;
        }
        let templates = at.templates(id).await?;
        if template.is_some_and(|t: H256| !templates.iter().any(|(hash, _)| *hash == t)) {
            continue;
        }
        for (index, partition) in cluster.spec.partitions.iter().enumerate() {
            // A job that fits on several nodes is offered those nodes.
            let mut shape = resources;
            shape.nodes = needed_nodes(partition, &resources);
            shape.gpu_type = if shape.gpus > 0 {
                partition.gpu_type
            } else {
                0
            };
            if !partition.fits(&shape, walltime) {
                continue;
            }
            let Some((_, plan)) = at.plan(partition.plan).await? else {
                continue;
            };
            let names = templates.iter().map(|(_, n)| ui::clean(n)).collect();
            rows.push(Row::new(
                id, &cluster, index, partition, &plan, &shape, walltime, names,
            ));
        }
    }
    // Prices in different assets do not compare.
    rows.sort_by_key(|r| (r.asset, r.hour.unwrap_or(Balance::MAX), r.cluster, r.index));
    let amounts = Amounts::of(&at, rows.iter().map(|r| r.asset)).await?;
    if context.json {
        let rows = rows.iter().map(|r| r.json(&amounts));
        ui::json(&Value::Array(rows.collect()));
        return Ok(());
    }
    if rows.is_empty() {
        ui::note("no open cluster offers that; ask for less, or for less time");
        return Ok(());
    }
    let mut table = ui::table(&[
        "cluster",
        "name",
        "partition",
        "nodes",
        "cores",
        "memory",
        "longest",
        "jobs",
        "per hour",
        "at most",
        "templates",
    ]);
    for r in &rows {
        table.add_row(vec![
            ui::right(r.cluster),
            r.name.as_str().into(),
            r.partition.as_str().into(),
            ui::right(r.nodes),
            ui::right(r.cpus),
            ui::right(units::mib(r.memory)),
            ui::right(units::duration(r.longest)),
            ui::right(format!("{}/{}", r.open_jobs, r.max_open_jobs)),
            ui::right(r.text(r.hour, &amounts)),
            ui::right(r.text(r.most, &amounts)),
            r.templates.join(", ").into(),
        ]);
    }
    ui::print(&table);
    ui::note(format!(
        "prices for {} cores, {} and {}; `at most` is what such a job can cost in all",
        wanted.cores,
        units::mib(resources.memory_mib),
        units::duration(walltime)
    ));
    Ok(())
}

/// The fewest nodes of a partition that hold the shape; 1 if no number does.
pub fn needed_nodes(partition: &Partition, r: &Resources) -> u32 {
    let ceil = |need: u64, each: u64| if each == 0 { 1 } else { need.div_ceil(each) };
    let nodes = ceil(r.cpus.into(), partition.cpus_per_node.into())
        .max(ceil(r.memory_mib, partition.memory_mib_per_node))
        .max(ceil(r.gpus.into(), partition.gpus_per_node.into()));
    u32::try_from(nodes).unwrap_or(1).max(1)
}

struct Row {
    cluster: ClusterId,
    provider: u32,
    name: String,
    index: usize,
    partition: String,
    nodes: u32,
    cpus: u64,
    memory: u64,
    gpus: u64,
    longest: u64,
    open_jobs: u32,
    max_open_jobs: u32,
    asset: AssetKind,
    plan: u32,
    hour: Option<Balance>,
    most: Option<Balance>,
    templates: Vec<String>,
}

impl Row {
    #[allow(clippy::too_many_arguments)]
    fn new(
        id: ClusterId,
        cluster: &Cluster,
        index: usize,
        partition: &Partition,
        plan: &PricePlan,
        shape: &Resources,
        walltime: u64,
        templates: Vec<String>,
    ) -> Self {
        Self {
            cluster: id,
            provider: cluster.provider,
            name: ui::clean(&cluster.spec.name),
            index,
            partition: ui::clean(&partition.name),
            nodes: partition.nodes,
            cpus: u64::from(partition.nodes) * u64::from(partition.cpus_per_node),
            memory: u64::from(partition.nodes).saturating_mul(partition.memory_mib_per_node),
            gpus: u64::from(partition.nodes) * u64::from(partition.gpus_per_node),
            longest: partition.max_walltime,
            open_jobs: cluster.open_jobs,
            max_open_jobs: cluster.spec.max_open_jobs,
            asset: plan.asset,
            plan: partition.plan,
            hour: hourly(plan, shape),
            most: at_most(plan, shape, walltime),
            templates,
        }
    }

    fn text(&self, amount: Option<Balance>, amounts: &Amounts) -> String {
        amount.map_or("not priced".into(), |a| amounts.text(a, self.asset))
    }

    fn json(&self, amounts: &Amounts) -> Value {
        let amount = |a: Option<Balance>| a.map(|a| amounts.json(a, self.asset));
        json!({
            "cluster": self.cluster,
            "provider": self.provider,
            "name": self.name,
            "partition": self.partition,
            "partition_index": self.index,
            "nodes": self.nodes,
            "cores": self.cpus,
            "memory_mib": self.memory,
            "gpus": self.gpus,
            "max_walltime_seconds": self.longest,
            "open_jobs": self.open_jobs,
            "max_open_jobs": self.max_open_jobs,
            "plan": self.plan,
            "asset": money::asset_name(self.asset),
            "per_hour": amount(self.hour),
            "at_most": amount(self.most),
            "templates": self.templates,
        })
    }
}

/// The most that a job of a shape costs in `seconds`: as the chain reckons it.
fn at_most(plan: &PricePlan, shape: &Resources, seconds: u64) -> Option<Balance> {
    let price = plan.price(&shape.allocation(seconds)?.most()?)?;
    Some(price.max(plan.minimum_charge))
}

/// What a shape costs in an hour, to the nearest unit, without the minimum charge: for comparing.
fn hourly(plan: &PricePlan, shape: &Resources) -> Option<Balance> {
    let hour = shape.allocation(3600)?.most()?;
    let mut sum = 500_000u128;
    for rate in &plan.rates {
        let used = hour
            .iter()
            .find(|(c, _)| *c == rate.component)
            .map_or(0, |(_, q)| *q);
        sum = sum.checked_add(used.checked_mul(rate.price_per_million)?)?;
    }
    Some(sum / 1_000_000)
}

/// All partitions of some clusters.
pub async fn list(context: &Context, at: &At, clusters: Vec<(ClusterId, Cluster)>) -> Result {
    let mut all = Vec::new();
    let mut table = ui::table(&[
        "cluster",
        "name",
        "state",
        "jobs",
        "partition",
        "nodes",
        "cores a node",
        "memory a node",
        "longest",
        "plan",
        "templates",
    ]);
    for (id, cluster) in clusters {
        let templates = at.templates(id).await?;
        let state = match cluster.state {
            ClusterState::Open => "open",
            ClusterState::Draining => "draining",
        };
        all.push(json!({
            "cluster": id,
            "provider": cluster.provider,
            "name": ui::clean(&cluster.spec.name),
            "state": state,
            "open_jobs": cluster.open_jobs,
            "max_open_jobs": cluster.spec.max_open_jobs,
            "min_score": cluster.spec.min_score,
            "custom_scripts": cluster.spec.custom_scripts,
            "templates": templates.iter().map(|(hash, name)| json!({ "hash": format!("{hash:?}"), "name": ui::clean(name) })).collect::<Vec<_>>(),
            "partitions": cluster.spec.partitions.iter().map(|p| json!({
                "name": ui::clean(&p.name),
                "nodes": p.nodes,
                "cpus_per_node": p.cpus_per_node,
                "memory_mib_per_node": p.memory_mib_per_node,
                "gpus_per_node": p.gpus_per_node,
                "gpu_type": p.gpu_type,
                "max_walltime_seconds": p.max_walltime,
                "plan": p.plan,
            })).collect::<Vec<_>>(),
        }));
        for p in &cluster.spec.partitions {
            let names: Vec<String> = templates.iter().map(|(_, n)| ui::clean(n)).collect();
            table.add_row(vec![
                ui::right(id),
                ui::clean(&cluster.spec.name).into(),
                state.into(),
                ui::right(format!(
                    "{}/{}",
                    cluster.open_jobs, cluster.spec.max_open_jobs
                )),
                ui::clean(&p.name).into(),
                ui::right(p.nodes),
                ui::right(p.cpus_per_node),
                ui::right(units::mib(p.memory_mib_per_node)),
                ui::right(units::duration(p.max_walltime)),
                ui::right(p.plan),
                names.join(", ").into(),
            ]);
        }
    }
    if context.json {
        ui::json(&Value::Array(all));
    } else {
        ui::print(&table);
    }
    Ok(())
}
