//! What a job would cost, and buying it.

use crate::{
    cli::{Run, Work},
    commands::{clusters::needed_nodes, jobs},
    context::Context,
    failure::{code, Failure, Result},
    library::{self, Library},
    ui, units,
};
use serde_json::{json, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};
use ve_chain::{calls, money, At, Submitter};
use ve_envelope::{seal, Binding, BodySealer, PublicKey};
use ve_store::Artifacts;
use ve_templates::{
    ContentKeyBytes, JobPayload, Parameters, PayloadInput, Prediction, Template, TemplateRef,
    Wanted,
};
use virtengine_primitives::{
    billing::PricePlan,
    envelope::EnvelopeHeader,
    hpc::{
        Cluster, ClusterState, InputRef, JobRequest, Resources, Workload, MAX_CANDIDATES,
        MAX_INPUTS,
    },
    AssetKind, Balance, BlockNumber, ClusterId, ProviderId, TemplateHash,
};

/// What is to run, checked against the template.
struct Asked<'a> {
    template: &'a Template,
    parameters: Parameters,
    resources: Resources,
    /// Whether the customer said how many nodes; else each partition gets as few as hold the job.
    nodes_given: bool,
    walltime: u64,
    prediction: Prediction,
    asset: AssetKind,
    only: Option<ClusterId>,
}

fn asked<'a>(library: &'a Library, work: &Work) -> Result<Asked<'a>> {
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
struct Offer {
    cluster: ClusterId,
    provider: ProviderId,
    name: String,
    partition: u8,
    partition_name: String,
    most: Balance,
    minimum: Balance,
    predicted: Option<Balance>,
    has_room: bool,
}

/// Everything that can run the job, the cheapest first; and why nothing can.
async fn offers(at: &At, asked: &Asked<'_>) -> Result<Vec<Offer>> {
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

fn resources_text(asked: &Asked) -> String {
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

/// `ve quote`.
pub async fn quote(context: &Context, work: Work) -> Result {
    let library = Library::open(&context.config.templates)?;
    let asked = asked(&library, &work)?;
    let at = context.chain().await?.at_finalized().await?;
    let offers = offers(&at, &asked).await?;
    let amount = |a| ui::amount_json(a, asked.asset);
    if context.json {
        let all: Vec<Value> = offers
            .iter()
            .map(|o| {
                json!({
                    "cluster": o.cluster,
                    "provider": o.provider,
                    "name": o.name,
                    "partition": o.partition_name,
                    "partition_index": o.partition,
                    "at_most": amount(o.most),
                    "minimum": amount(o.minimum),
                    "predicted": o.predicted.map(amount),
                    "has_room": o.has_room,
                })
            })
            .collect();
        ui::json(&json!({
            "template": asked.template.name(),
            "resources": asked.resources,
            "walltime_seconds": asked.walltime,
            "predicted_seconds": asked.prediction.seconds,
            "offers": all,
        }));
        return Ok(());
    }
    crate::out!(
        "{} {}: {}; about {} by the template's cost model",
        asked.template.name(),
        asked.template.version(),
        resources_text(&asked),
        units::duration(asked.prediction.seconds)
    );
    let mut table = ui::table(&[
        "cluster",
        "name",
        "partition",
        "at most",
        "at least",
        "probably",
        "room",
    ]);
    for o in &offers {
        table.add_row(vec![
            ui::right(o.cluster),
            o.name.as_str().into(),
            o.partition_name.as_str().into(),
            ui::right(money::format_in(o.most, asked.asset)),
            ui::right(money::format_in(o.minimum, asked.asset)),
            ui::right(
                o.predicted
                    .map_or("?".into(), |p| money::format_in(p, asked.asset)),
            ),
            if o.has_room { "yes" } else { "full now" }.into(),
        ]);
    }
    ui::print(&table);
    Ok(())
}

/// Input files by the name under which the template finds them, checked before anything is sent.
fn inputs(template: &Template, given: &[String]) -> Result<Vec<(String, PathBuf, u64)>> {
    let specs = &template.manifest().inputs;
    let known = || {
        specs
            .iter()
            .map(|s| s.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut all: BTreeMap<String, (PathBuf, u64)> = BTreeMap::new();
    for text in given {
        let (name, path) = match text.split_once('=') {
            Some((name, path)) if specs.iter().any(|s| s.name == name) => {
                (name.to_string(), PathBuf::from(path))
            }
            _ => {
                let path = PathBuf::from(text);
                let file = path
                    .file_name()
                    .and_then(|n| n.to_str())
                    .unwrap_or_default()
                    .to_string();
                match specs.as_slice() {
                    [] => {
                        return Err(Failure::usage(
                            format!("--in: {} takes no input", template.name()),
                            "leave it out",
                        ))
                    }
                    [only] => (only.name.clone(), path),
                    _ if specs.iter().any(|s| s.name == file) => (file, path),
                    _ => {
                        return Err(Failure::usage(
                            format!(
                                "--in: {} takes several inputs and {text:?} names none of them",
                                template.name()
                            ),
                            format!("write NAME=FILE with one of {}", known()),
                        ))
                    }
                }
            }
        };
        let meta =
            std::fs::metadata(&path).map_err(|e| Failure::file("--in: reading", &path, &e))?;
        let most = specs
            .iter()
            .find(|s| s.name == name)
            .map_or(u64::MAX, |s| s.max_bytes);
        if !meta.is_file() || meta.len() == 0 {
            return Err(Failure::usage(
                format!("--in: {} is empty or no file", path.display()),
                "give a file with content",
            ));
        }
        if meta.len() > most {
            return Err(Failure::usage(
                format!(
                    "--in: {} has {}, the template takes at most {}",
                    path.display(),
                    units::bytes(meta.len()),
                    units::bytes(most)
                ),
                "make it smaller",
            ));
        }
        if all.insert(name.clone(), (path, meta.len())).is_some() {
            return Err(Failure::usage(
                format!("--in: {name} is given twice"),
                "give it once",
            ));
        }
    }
    if let Some(spec) = specs
        .iter()
        .find(|s| s.required && !all.contains_key(&s.name))
    {
        return Err(Failure::usage(
            format!(
                "--in: {} needs the input {} ({})",
                template.name(),
                spec.name,
                spec.summary
            ),
            format!("give it with --in {}=FILE", spec.name),
        ));
    }
    if all.len() > MAX_INPUTS as usize {
        return Err(Failure::usage(
            format!("--in: {} inputs, at most {MAX_INPUTS}", all.len()),
            "pack some of them together",
        ));
    }
    Ok(all
        .into_iter()
        .map(|(name, (path, length))| (name, path, length))
        .collect())
}

/// Encryption keys of everybody who may read the payload: the candidates' providers (owner and worker keys) and the
/// customer. A provider without any key is left out of the candidates.
async fn recipients(at: &At, own: PublicKey, offers: &mut Vec<Offer>) -> Result<Vec<PublicKey>> {
    let mut keys = BTreeSet::from([own]);
    let mut readable: BTreeMap<ProviderId, bool> = BTreeMap::new();
    for offer in offers.iter() {
        if readable.contains_key(&offer.provider) {
            continue;
        }
        let mut readers = at.hot_keys(offer.provider).await?;
        readers.extend(at.provider(offer.provider).await?.map(|p| p.owner));
        let mut any = false;
        for reader in readers {
            for (_, key) in at.keys(&reader).await? {
                any = true;
                keys.insert(PublicKey::from_bytes(key.public));
            }
        }
        readable.insert(offer.provider, any);
    }
    offers.retain(|o| readable.get(&o.provider).copied().unwrap_or(false));
    if offers.is_empty() {
        return Err(Failure::new(
            code::REFUSED,
            "no candidate's provider has registered an encryption key, so nothing can be sealed to it",
            "choose another cluster, or ask the provider to register its worker's key",
        ));
    }
    Ok(keys.into_iter().collect())
}

/// Seals a file under a content key of its own and uploads it, in constant memory.
async fn upload(
    artifacts: &Artifacts,
    path: &Path,
    length: u64,
    binding: &Binding,
) -> Result<(InputRef, ve_envelope::ContentKey, u64)> {
    use tokio::io::AsyncReadExt;
    let bar = ui::bytes_bar(format!("sealing {}", path.display()), length);
    let failed = |e: &std::io::Error| Failure::file("--in: reading", path, e);
    let mut file = tokio::fs::File::open(path).await.map_err(|e| failed(&e))?;
    let mut writer = artifacts.writer().await?;
    let mut sealer = BodySealer::new(binding)?;
    let (mut chunk, mut out) = (vec![0u8; 1 << 20], Vec::new());
    loop {
        let n = file.read(&mut chunk).await.map_err(|e| failed(&e))?;
        if n == 0 {
            break;
        }
        sealer.update(chunk.get(..n).unwrap_or_default(), &mut out)?;
        writer.write(&out).await?;
        out.clear();
        bar.inc(n as u64);
    }
    let (key, sealed) = sealer.finish(&mut out)?;
    writer.write(&out).await?;
    let artifact = writer.finish().await?;
    bar.finish_and_clear();
    if artifact.hash != sealed.hash {
        return Err(Failure::local(
            format!(
                "{}: the upload does not have the expected hash",
                path.display()
            ),
            "try again",
        ));
    }
    Ok((
        InputRef {
            hash: sealed.hash.into(),
            length: sealed.length,
        },
        key,
        sealed.plain_length,
    ))
}

/// Blocks that a time takes, rounded up, by the runtime's own block time.
fn blocks(seconds: u64, block_ms: u64) -> BlockNumber {
    let blocks = seconds.saturating_mul(1000).div_ceil(block_ms.max(1));
    BlockNumber::try_from(blocks).unwrap_or(BlockNumber::MAX)
}

/// `ve run`.
pub async fn run(context: &Context, run: Run) -> Result {
    let library = Library::open(&context.config.templates)?;
    let asked = asked(&library, &run.work)?;
    let files = inputs(asked.template, &run.inputs)?;
    let at = context.chain().await?.at_finalized().await?;
    let mut offers = offers(&at, &asked).await?;
    let cheapest = offers.first().map_or(0, |o| o.most);
    if let Some(max) = run.max {
        offers.retain(|o| o.most <= max);
        if offers.is_empty() {
            return Err(Failure::new(
                code::REFUSED,
                format!(
                    "--max: {} is below the cheapest quote, {}",
                    money::format_in(max, asked.asset),
                    money::format_in(cheapest, asked.asset)
                ),
                "raise --max, or ask for less time or fewer processors",
            ));
        }
    }
    let account = context.account()?;
    if asked.asset == AssetKind::Native {
        let free = at.balances(&account).await?.free;
        if free < cheapest {
            return Err(Failure::new(
                code::REFUSED,
                format!(
                    "the account has {}, the cheapest quote holds {}",
                    money::format(free),
                    money::format(cheapest)
                ),
                "send it some VE, or ask for less",
            ));
        }
    }
    let secrets = context.secrets(None)?;
    let own = secrets.encryption.public();
    if !at
        .keys(&account)
        .await?
        .iter()
        .any(|(_, k)| k.public == own.to_bytes())
    {
        return Err(Failure::new(
            code::REFUSED,
            "your encryption key is not registered, so no result could be sealed to you",
            "register it with `ve key register`",
        ));
    }
    let submitter = Submitter::new(at.chain().clone(), secrets.signer.clone());
    let to = recipients(&at, own, &mut offers).await?;
    // Free room first: the chain refuses a full cluster, and takes the cheapest of the rest.
    offers.sort_by_key(|o| (!o.has_room, o.most, o.cluster, o.partition));
    offers.truncate(MAX_CANDIDATES as usize);
    let ceiling = run
        .max
        .unwrap_or_else(|| offers.iter().map(|o| o.most).max().unwrap_or(cheapest));

    let genesis = at.chain().genesis().0;
    let who: [u8; 32] = *account.as_ref();
    let artifacts = context.artifacts()?;
    let (mut references, mut described) = (Vec::new(), Vec::new());
    for (index, (name, path, length)) in (0u64..).zip(&files) {
        let (reference, key, plain_length) = upload(
            &artifacts,
            path,
            *length,
            &Binding::input(genesis, &who, index),
        )
        .await?;
        references.push(reference);
        described.push(PayloadInput {
            name: name.clone(),
            hash: reference.hash.0,
            length: reference.length,
            plain_length,
            key: ContentKeyBytes::new(*key.to_bytes()),
        });
    }
    let payload = JobPayload {
        version: JobPayload::VERSION,
        template: Some(TemplateRef {
            name: asked.template.name().into(),
            version: asked.template.version().into(),
        }),
        parameters: asked.parameters.as_map().clone(),
        script: None,
        inputs: described,
    };
    let plain = payload
        .to_bytes()
        .map_err(|e| Failure::usage(e.to_string(), "correct the parameters or inputs"))?;
    let (header, body) = seal(&plain, &to, &Binding::payload(genesis, &who))?;
    artifacts.put_blob(body).await?;

    let block_ms: u64 = at.constant("Hpc", "BlockDuration").await?;
    let request = request(
        &at, &asked, &run, &offers, header, references, ceiling, block_ms,
    )
    .await?;
    // A refusal is better heard before a fee is paid.
    at.chain()
        .at_best()
        .await?
        .candidates(&account, &request)
        .await?;
    let done = context
        .submit_with(&submitter, calls::hpc::submit(&request))
        .await?;
    let job = done
        .expect("Hpc", "JobSubmitted")?
        .integer("job")
        .unwrap_or_default();
    let job = u64::try_from(job).unwrap_or(u64::MAX);
    let assigned = done
        .find("Hpc", "JobAssigned")
        .and_then(|e| e.integer("cluster"));
    if context.json && !run.wait {
        ui::json(&json!({
            "job": job,
            "cluster": assigned,
            "ceiling": ui::amount_json(ceiling, asked.asset),
            "block": done.block,
        }));
        return Ok(());
    }
    ui::note(format!(
        "job {job} is bought: {} held, at most; cluster {}",
        money::format_in(ceiling, asked.asset),
        assigned.map_or("?".into(), |c| c.to_string())
    ));
    if run.wait {
        jobs::wait(context, job, None).await
    } else {
        crate::out!("{job}");
        ui::note(format!(
            "watch it with `ve wait {job}`, fetch the result with `ve get {job}`"
        ));
        Ok(())
    }
}

#[allow(clippy::too_many_arguments)]
async fn request(
    at: &At,
    asked: &Asked<'_>,
    run: &Run,
    offers: &[Offer],
    payload: EnvelopeHeader,
    inputs: Vec<InputRef>,
    ceiling: Balance,
    block_ms: u64,
) -> Result<JobRequest> {
    let (accept, cancel, life) = at.limits().await?;
    let start_within = blocks(run.start_within.as_secs(), block_ms);
    // Every candidate may take its time to accept and to start before the last one runs; then the result is collected.
    let each = u64::from(accept).saturating_add(start_within.into());
    let slack = u64::from(cancel).saturating_add(blocks(120, block_ms).into());
    let all = each
        .saturating_mul(offers.len() as u64)
        .saturating_add(blocks(asked.walltime, block_ms).into())
        .saturating_add(slack);
    let longest = u64::from(life).saturating_sub(16);
    let end_by = at
        .number()
        .saturating_add(u32::try_from(all.min(longest)).unwrap_or(u32::MAX));
    let hash: TemplateHash = asked.template.hash();
    Ok(JobRequest {
        candidates: offers
            .iter()
            .map(|o| (o.cluster, o.partition))
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| Failure::usage("too many candidates", "choose one with --cluster"))?,
        workload: Workload::Template(hash),
        payload,
        inputs: inputs
            .try_into()
            .map_err(|_| Failure::usage("--in: too many inputs", "pack some of them together"))?,
        resources: asked.resources,
        walltime: asked.walltime,
        asset: asked.asset,
        ceiling,
        start_within,
        end_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_should_be_rounded_up() {
        assert_eq!(blocks(10, 1000), 10);
        assert_eq!(blocks(10, 6000), 2);
        assert_eq!(blocks(0, 6000), 0);
        assert_eq!(blocks(u64::MAX, 1), u32::MAX);
        assert_eq!(blocks(5, 0), 5000);
    }
}
