//! What is to run, and what can run it at which price.

use crate::{
    cli::Work,
    commands::clusters::needed_nodes,
    failure::{code, Failure, Result},
    library::{self, Library},
    ui, units,
};
use std::collections::BTreeSet;
use ve_chain::{money, At};
use ve_templates::{Parameters, Prediction, Template, Wanted};
use virtengine_primitives::{
    billing::PricePlan,
    hpc::{Cluster, ClusterState, Resources},
    AssetKind, Balance, ClusterId, ProviderId,
};

/// What is to run, checked against the template.
pub struct Asked<'a> {
    /// The template.
    pub template: &'a Template,
    /// Its parameters.
    pub parameters: Parameters,
    /// What is asked for.
    pub resources: Resources,
    /// Whether the customer said how many nodes; else each partition gets as few as hold the job.
    pub nodes_given: bool,
    /// Longest run in seconds.
    pub walltime: u64,
    /// What the template's cost model says.
    pub prediction: Prediction,
    /// What is paid in.
    pub asset: AssetKind,
    /// The only cluster that is asked.
    pub only: Option<ClusterId>,
}

/// Reads the shape of a job from the command line, against its template.
pub fn asked<'a>(library: &'a Library, work: &Work) -> Result<Asked<'a>> {
    let template = library.find(&work.template)?;
    let mut arguments = work.parameters.clone();
    if let Some(tasks) = work.array {
        let Some(bounds) = &template.manifest().resources.tasks else {
            return Err(Failure::usage(
                format!("--array: {} is not an array", template.name()),
                "leave it out, or choose another template",
            ));
        };
        arguments.push(format!("{}={tasks}", bounds.parameter));
    }
    let parameters = template
        .parse_cli_params(&arguments)
        .map_err(library::parameters)?;
    let wanted = Wanted {
        nodes: work.nodes,
        cpus: work.cpus,
        memory_mib: work.mem,
        gpus: (work.gpus > 0).then_some(work.gpus),
        gpu_type: work.gpu_type,
        walltime: work.time.map(|t| t.as_secs()),
    };
    let need = template
        .resources(&parameters, &wanted)
        .map_err(library::parameters)?;
    Ok(Asked {
        template,
        prediction: template.predict(&parameters, &need.resources),
        parameters,
        resources: need.resources,
        nodes_given: work.nodes.is_some(),
        walltime: need.walltime,
        asset: work.asset.map_or(AssetKind::Native, AssetKind::Asset),
        only: work.cluster,
    })
}

/// A partition that can run the job.
pub struct Offer {
    /// The cluster.
    pub cluster: ClusterId,
    /// Whose it is.
    pub provider: ProviderId,
    /// What it is called.
    pub name: String,
    /// Number of the partition.
    pub partition: u8,
    /// What it is called.
    pub partition_name: String,
    /// The most that the job costs there.
    pub most: Balance,
    /// The least.
    pub minimum: Balance,
    /// What it probably costs, by the template's cost model.
    pub predicted: Option<Balance>,
    /// Whether the cluster takes another job now.
    pub has_room: bool,
}

/// Everything that can run the job, the cheapest first; and why nothing can.
pub async fn offers(at: &At, asked: &Asked<'_>) -> Result<Vec<Offer>> {
    let clusters = match asked.only {
        None => at.all_clusters().await?,
        Some(id) => {
            let cluster = at.cluster(id).await?;
            let missing = || {
                Failure::missing(
                    format!("--cluster: there is no cluster {id}"),
                    "see `ve clusters`",
                )
            };
            vec![(id, cluster.ok_or_else(missing)?)]
        }
    };
    let mut found = Vec::new();
    let mut why = BTreeSet::new();
    for (id, cluster) in &clusters {
        match judge_cluster(at, *id, cluster, asked).await? {
            Ok(mut all) => found.append(&mut all),
            Err(reason) => {
                why.insert(format!("cluster {id} {reason}"));
            }
        }
    }
    if found.is_empty() {
        let what = if clusters.is_empty() {
            "there is no cluster on this chain".to_string()
        } else {
            format!(
                "no cluster can run this: {}",
                why.into_iter().collect::<Vec<_>>().join("; ")
            )
        };
        return Err(Failure::new(
            code::REFUSED,
            what,
            "ask for less, pay in another asset, or see `ve clusters`",
        ));
    }
    found.sort_by_key(|o| (o.most, o.cluster, o.partition));
    Ok(found)
}

async fn judge_cluster(
    at: &At,
    id: ClusterId,
    cluster: &Cluster,
    asked: &Asked<'_>,
) -> Result<std::result::Result<Vec<Offer>, String>> {
    if cluster.state != ClusterState::Open {
        return Ok(Err("takes no new jobs".into()));
    }
    let hash = asked.template.hash();
    if !at.templates(id).await?.iter().any(|(h, _)| *h == hash) {
        return Ok(Err(format!(
            "does not run {} {}",
            asked.template.name(),
            asked.template.version()
        )));
    }
    let (mut found, mut why) = (Vec::new(), "has no partition that the job fits".to_string());
    for (index, partition) in (0u8..).zip(&cluster.spec.partitions) {
        if !partition.fits(&asked.resources, asked.walltime) {
            let fewest = needed_nodes(partition, &asked.resources);
            if !asked.nodes_given && fewest > asked.resources.nodes && fewest <= partition.nodes {
                why = format!("would need {fewest} nodes for it (--nodes {fewest})");
            }
            continue;
        }
        let Some((_, plan)) = at.plan(partition.plan).await? else {
            continue;
        };
        if plan.asset != asked.asset {
            why = format!("is paid in {}", money::asset_name(plan.asset));
            continue;
        }
        let Some(allocation) = asked.resources.allocation(asked.walltime) else {
            continue;
        };
        let Some((_, most)) = at.quote(partition.plan, &allocation).await? else {
            why = "does not price such a job".into();
            continue;
        };
        found.push(Offer {
            cluster: id,
            provider: cluster.provider,
            name: ui::clean(&cluster.spec.name),
            partition: index,
            partition_name: ui::clean(&partition.name),
            most,
            minimum: plan.minimum_charge,
            predicted: predicted(&plan, asked),
            has_room: cluster.open_jobs < cluster.spec.max_open_jobs,
        });
    }
    Ok(if found.is_empty() {
        Err(why)
    } else {
        Ok(found)
    })
}

fn predicted(plan: &PricePlan, asked: &Asked) -> Option<Balance> {
    let seconds = asked.prediction.seconds.min(asked.walltime);
    let used = asked.resources.allocation(seconds)?.most()?;
    Some(plan.price(&used)?.max(plan.minimum_charge))
}

/// `2 cpus, 512 MiB, up to 5m`.
pub fn resources_text(asked: &Asked) -> String {
    let r = &asked.resources;
    let mut text = format!(
        "{} cpus, {}, up to {}",
        r.cpus,
        units::mib(r.memory_mib),
        units::duration(asked.walltime)
    );
    if r.nodes > 1 {
        text = format!("{} nodes, {text}", r.nodes);
    }
    if r.gpus > 0 {
        text = format!("{text}, {} accelerators", r.gpus);
    }
    if r.array_tasks > 1 {
        text = format!("{} tasks, each {text}", r.array_tasks);
    }
    text
}
