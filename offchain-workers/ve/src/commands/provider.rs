//! What a provider does by hand: the organisation, plans, clusters.

use crate::{
    cli::{Cluster as ClusterCommand, HotKey, Plan as PlanCommand, Provider as ProviderCommand},
    commands::{clusters, key::name_of},
    config::toml_failure,
    context::{read_text, Context},
    failure::{Failure, Result},
    library::Library,
    ui, units,
};
use serde::Deserialize;
use serde_json::json;
use std::{collections::BTreeMap, path::Path};
use ve_chain::{calls, invoice, money, At};
use virtengine_primitives::{
    billing::{Component, PricePlan, Rate},
    hpc::{ClusterSpec, ClusterState, Partition},
    Balance, ClusterId, ProviderId,
};

/// `ve provider`.
pub async fn run(context: &Context, command: ProviderCommand) -> Result {
    match command {
        ProviderCommand::Register { name, payout, bond } => {
            register(context, &name, payout, bond).await
        }
        ProviderCommand::HotKey(HotKey::Add { account }) => {
            let account = context.account_of(&account)?;
            let done = context
                .submit(calls::providers::add_hot_key(&account))
                .await?;
            say(
                context,
                "HotKeyAdded",
                "the key may act for the organisation now",
                &done,
            )
        }
        ProviderCommand::HotKey(HotKey::Remove { account }) => {
            let account = context.account_of(&account)?;
            let done = context
                .submit(calls::providers::remove_hot_key(&account))
                .await?;
            say(
                context,
                "HotKeyRemoved",
                "the key may not act for the organisation any more",
                &done,
            )
        }
        ProviderCommand::Bond { amount } => {
            let done = context.submit(calls::providers::bond_more(amount)).await?;
            say(context, "BondAdded", "the bond has grown", &done)
        }
        ProviderCommand::Show { provider } => show(context, provider).await,
    }
}

fn say(context: &Context, event: &str, text: &str, done: &ve_chain::Submitted) -> Result {
    if context.json {
        ui::json(&done.expect("Providers", event)?.fields);
    } else {
        ui::note(format!("{text} (block {})", done.block.number));
    }
    Ok(())
}

async fn register(
    context: &Context,
    name: &str,
    payout: Option<String>,
    bond: Option<Balance>,
) -> Result {
    let submitter = context.submitter(None).await?;
    let payout = match payout {
        Some(text) => context.account_of(&text)?,
        None => submitter.account().clone(),
    };
    let mut all = vec![calls::providers::register(&name_of("name", name)?, &payout)];
    all.extend(bond.map(calls::providers::bond_more));
    let call = if all.len() == 1 {
        all.remove(0)
    } else {
        calls::utility::batch_all(all)
    };
    let done = context.submit_with(&submitter, call).await?;
    let event = done.expect("Providers", "Registered")?;
    let id = event.integer("provider").unwrap_or_default();
    if context.json {
        ui::json(&json!({ "provider": id, "event": event.fields }));
    } else {
        ui::note(format!("registered as provider {id}; next: `ve provider hot-key add WORKER`, `ve plan publish FILE`"));
    }
    Ok(())
}

/// The provider of the key in use, or the given one.
async fn provider_id(context: &Context, at: &At, given: Option<ProviderId>) -> Result<ProviderId> {
    if let Some(id) = given {
        return Ok(id);
    }
    at.provider_of(&context.account()?).await?.ok_or_else(|| {
        Failure::missing(
            "provider: the chosen key belongs to no provider",
            "register one with `ve provider register NAME`, or give its number",
        )
    })
}

async fn show(context: &Context, id: Option<ProviderId>) -> Result {
    let at = context.chain().await?.at_finalized().await?;
    let id = provider_id(context, &at, id).await?;
    let provider = at.provider(id).await?.ok_or_else(|| {
        Failure::missing(
            format!("provider: there is no provider {id}"),
            "see `ve clusters`",
        )
    })?;
    let hot: Vec<String> = at
        .hot_keys(id)
        .await?
        .iter()
        .map(crate::keystore::account_text)
        .collect();
    let owner = crate::keystore::account_text(&provider.owner);
    let payout = crate::keystore::account_text(&provider.payout);
    if context.json {
        ui::json(&json!({
            "provider": id,
            "name": ui::clean(&provider.name),
            "owner": owner,
            "payout": payout,
            "bond": ui::amount_json(provider.bond, Default::default()),
            "locked": ui::amount_json(provider.locked, Default::default()),
            "live_agreements": provider.live_agreements,
            "hot_keys": hot,
        }));
        return Ok(());
    }
    ui::facts(&[
        ("provider", format!("{id} ({})", ui::clean(&provider.name))),
        ("owner", owner),
        ("paid to", payout),
        (
            "bond",
            format!(
                "{}, of which {} backs accepted jobs",
                money::format(provider.bond),
                money::format(provider.locked)
            ),
        ),
        ("live agreements", provider.live_agreements.to_string()),
        (
            "worker keys",
            if hot.is_empty() {
                "none: ve provider hot-key add".into()
            } else {
                hot.join(", ")
            },
        ),
    ]);
    Ok(())
}

/// A price plan's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    /// `native` (the default) or `asset:7`.
    asset: Option<String>,
    /// The least that a started job costs.
    minimum_charge: Option<String>,
    /// Price per million units of a component (`cpu-seconds`, ...), exact.
    #[serde(default)]
    rates: BTreeMap<String, String>,
    /// Price per hour of `cpu`, `memory-gib`, `node`, `gpu:N` or `licence:N`, rounded down to what the chain can say.
    #[serde(default)]
    per_hour: BTreeMap<String, String>,
}

fn hourly(name: &str) -> Option<(Component, u128)> {
    let kind = |text: &str| text.parse::<u8>().ok();
    Some(match name.split_once(':') {
        None => match name {
            "cpu" => (Component::CpuSeconds, 1),
            "memory-gib" => (Component::MemoryMibSeconds, 1024),
            "node" => (Component::NodeSeconds, 1),
            "storage-gib" => (Component::StorageMibSeconds, 1024),
            _ => return None,
        },
        Some(("gpu", n)) => (Component::GpuSeconds(kind(n)?), 1),
        Some(("licence", n)) => (Component::LicenceSeconds(kind(n)?), 1),
        Some(_) => return None,
    })
}

/// Reads a plan's file. Errors name the field.
pub fn parse_plan(path: &Path, text: &str) -> Result<PricePlan> {
    let file: PlanFile = toml::from_str(text).map_err(|e| toml_failure("plan", path, text, &e))?;
    let wrong = |field: &str, e: String| {
        Failure::usage(
            format!("plan {}: {field}: {e}", path.display()),
            "correct that field",
        )
    };
    let asset = money::parse_asset(file.asset.as_deref().unwrap_or("native"))
        .map_err(|e| wrong("asset", e))?;
    let minimum_charge = money::parse(file.minimum_charge.as_deref().unwrap_or("0"))
        .map_err(|e| wrong("minimum_charge", e))?;
    let mut rates: BTreeMap<Component, Balance> = BTreeMap::new();
    let mut add = |field: String, component: Component, price: Option<Balance>| match price {
        None => Err(wrong(&field, "the price is too large".into())),
        Some(price) if rates.insert(component, price).is_none() => Ok(()),
        Some(_) => Err(wrong(&field, "this component is priced twice".into())),
    };
    for (name, price) in &file.rates {
        let field = format!("rates.{name}");
        let component = invoice::parse_component(name).map_err(|e| wrong(&field, e))?;
        add(
            field.clone(),
            component,
            Some(money::parse(price).map_err(|e| wrong(&field, e))?),
        )?;
    }
    for (name, price) in &file.per_hour {
        let field = format!("per_hour.{name}");
        let (component, units) = hourly(name).ok_or_else(|| {
            wrong(
                &field,
                "it is none of cpu, memory-gib, node, storage-gib, gpu:N and licence:N".into(),
            )
        })?;
        let price = money::parse(price).map_err(|e| wrong(&field, e))?;
        add(
            field,
            component,
            price.checked_mul(1_000_000).map(|p| p / (3600 * units)),
        )?;
    }
    let rates: Vec<Rate> = rates
        .into_iter()
        .map(|(component, price_per_million)| Rate {
            component,
            price_per_million,
        })
        .collect();
    let rates = rates
        .try_into()
        .map_err(|_| wrong("rates", "more than 16 components".into()))?;
    Ok(PricePlan {
        asset,
        rates,
        minimum_charge,
    })
}

/// `ve plan`.
pub async fn plan(context: &Context, command: PlanCommand) -> Result {
    match command {
        PlanCommand::Publish { file } => {
            let plan = parse_plan(&file, &read_text("reading the plan", &file)?)?;
            let done = context.submit(calls::billing::publish_plan(&plan)).await?;
            let id = done
                .expect("Billing", "PlanPublished")?
                .integer("plan")
                .unwrap_or_default();
            if context.json {
                ui::json(&json!({ "plan": id }));
            } else {
                ui::note(format!(
                    "published as plan {id}; name it in a cluster's partitions"
                ));
            }
            Ok(())
        }
        PlanCommand::Show { plan } => {
            let at = context.chain().await?.at_finalized().await?;
            show_plans(context, &at, vec![plan]).await
        }
        PlanCommand::List { provider } => {
            let at = context.chain().await?.at_finalized().await?;
            let provider = provider_id(context, &at, provider).await?;
            let mut plans: Vec<_> = at
                .all_clusters()
                .await?
                .into_iter()
                .filter(|(_, c)| c.provider == provider)
                .flat_map(|(_, c)| c.spec.partitions.into_iter().map(|p| p.plan))
                .collect();
            plans.sort_unstable();
            plans.dedup();
            show_plans(context, &at, plans).await
        }
    }
}

async fn show_plans(context: &Context, at: &At, plans: Vec<u32>) -> Result {
    let mut all = Vec::new();
    let mut table = ui::table(&[
        "plan",
        "provider",
        "component",
        "per million",
        "per hour and unit",
    ]);
    for id in plans {
        let (provider, plan) = at.plan(id).await?.ok_or_else(|| {
            Failure::missing(format!("plan: there is no plan {id}"), "see `ve plan list`")
        })?;
        all.push(json!({
            "plan": id,
            "provider": provider,
            "asset": money::asset_name(plan.asset),
            "minimum_charge": ui::amount_json(plan.minimum_charge, plan.asset),
            "rates": plan.rates.iter().map(|r| json!({
                "component": invoice::component_name(r.component),
                "price_per_million": r.price_per_million.to_string(),
            })).collect::<Vec<_>>(),
        }));
        for rate in &plan.rates {
            // To the nearest unit, for people: the chain's own arithmetic is per million.
            let hour = rate
                .price_per_million
                .saturating_mul(3600)
                .saturating_add(500_000)
                / 1_000_000;
            table.add_row(vec![
                ui::right(id),
                ui::right(provider),
                invoice::component_name(rate.component).into(),
                ui::right(money::format_in(rate.price_per_million, plan.asset)),
                ui::right(money::format_in(hour, plan.asset)),
            ]);
        }
        table.add_row(vec![
            ui::right(id),
            ui::right(provider),
            "at least, per job".into(),
            ui::right(money::format_in(plan.minimum_charge, plan.asset)),
            ui::right(""),
        ]);
    }
    if context.json {
        ui::json(&json!(all));
    } else {
        ui::print(&table);
    }
    Ok(())
}

/// A cluster's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterFile {
    name: String,
    /// Most jobs at once.
    max_open_jobs: u32,
    /// Least identity score of a customer.
    #[serde(default)]
    min_score: u8,
    /// Whether scripts outside the allow-list are taken.
    #[serde(default)]
    custom_scripts: bool,
    /// Templates to allow at once when the cluster is registered.
    #[serde(default)]
    templates: Vec<String>,
    partitions: Vec<PartitionFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionFile {
    name: String,
    nodes: u32,
    cpus_per_node: u32,
    /// `4GiB`.
    memory_per_node: String,
    #[serde(default)]
    gpus_per_node: u32,
    #[serde(default)]
    gpu_type: u8,
    /// `2h`.
    max_walltime: String,
    /// Number of the price plan.
    plan: u32,
}

/// Reads a cluster's file: its description, and names of templates to allow. Errors name the field.
pub fn parse_cluster(path: &Path, text: &str) -> Result<(ClusterSpec, Vec<String>)> {
    let file: ClusterFile =
        toml::from_str(text).map_err(|e| toml_failure("cluster", path, text, &e))?;
    let wrong = |field: String, e: String| {
        Failure::usage(
            format!("cluster {}: {field}: {e}", path.display()),
            "correct that field",
        )
    };
    let mut partitions = Vec::new();
    for (i, p) in file.partitions.iter().enumerate() {
        let field = |name: &str| format!("partitions[{i}].{name}");
        partitions.push(Partition {
            name: name_of(&field("name"), &p.name)?,
            nodes: p.nodes,
            cpus_per_node: p.cpus_per_node,
            memory_mib_per_node: units::parse_mib(&p.memory_per_node)
                .map_err(|e| wrong(field("memory_per_node"), e))?,
            gpus_per_node: p.gpus_per_node,
            gpu_type: p.gpu_type,
            max_walltime: units::parse_duration(&p.max_walltime)
                .map_err(|e| wrong(field("max_walltime"), e))?
                .as_secs(),
            plan: p.plan,
        });
    }
    let spec = ClusterSpec {
        name: name_of("name", &file.name)?,
        partitions: partitions
            .try_into()
            .map_err(|_| wrong("partitions".into(), "more than 16".into()))?,
        max_open_jobs: file.max_open_jobs,
        min_score: file.min_score,
        custom_scripts: file.custom_scripts,
    };
    Ok((spec, file.templates))
}

/// `ve cluster`.
pub async fn cluster(context: &Context, command: ClusterCommand) -> Result {
    match command {
        ClusterCommand::Register { file } => {
            let (spec, templates) =
                parse_cluster(&file, &read_text("reading the cluster", &file)?)?;
            // A template that is not there is found before anything is registered.
            let library = Library::open(&context.config.templates)?;
            for name in &templates {
                library.find(name)?;
            }
            let submitter = context.submitter(None).await?;
            let done = context
                .submit_with(&submitter, calls::hpc::register_cluster(&spec))
                .await?;
            let id = done
                .expect("Hpc", "ClusterRegistered")?
                .integer("cluster")
                .unwrap_or_default();
            let id = ClusterId::try_from(id).unwrap_or(ClusterId::MAX);
            if !templates.is_empty() {
                let all = allow_calls(&library, id, &templates)?;
                context
                    .submit_with(&submitter, calls::utility::batch_all(all))
                    .await?;
            }
            if context.json {
                ui::json(&json!({ "cluster": id, "templates": templates }));
            } else {
                ui::note(format!("registered as cluster {id}"));
                if templates.is_empty() {
                    ui::note(format!(
                        "it runs no template yet: `ve cluster allow-template {id} NAME`"
                    ));
                }
            }
            Ok(())
        }
        ClusterCommand::Update { cluster, file } => {
            let (spec, _) = parse_cluster(&file, &read_text("reading the cluster", &file)?)?;
            context
                .submit(calls::hpc::update_cluster(cluster, &spec))
                .await?;
            told(context, cluster, "updated")
        }
        ClusterCommand::Drain { cluster } => {
            context
                .submit(calls::hpc::set_cluster_state(
                    cluster,
                    ClusterState::Draining,
                ))
                .await?;
            told(context, cluster, "draining")
        }
        ClusterCommand::Open { cluster } => {
            context
                .submit(calls::hpc::set_cluster_state(cluster, ClusterState::Open))
                .await?;
            told(context, cluster, "open")
        }
        ClusterCommand::AllowTemplate { cluster, templates } => {
            let library = Library::open(&context.config.templates)?;
            let all = allow_calls(&library, cluster, &templates)?;
            context.submit(calls::utility::batch_all(all)).await?;
            told(
                context,
                cluster,
                &format!("runs {} now", templates.join(", ")),
            )
        }
        ClusterCommand::List => {
            let at = context.chain().await?.at_finalized().await?;
            let provider = provider_id(context, &at, None).await?;
            let own: Vec<_> = at
                .all_clusters()
                .await?
                .into_iter()
                .filter(|(_, c)| c.provider == provider)
                .collect();
            clusters::list(context, &at, own).await
        }
        ClusterCommand::Show { cluster } => {
            let at = context.chain().await?.at_finalized().await?;
            let found = at.cluster(cluster).await?.ok_or_else(|| {
                Failure::missing(
                    format!("cluster: there is no cluster {cluster}"),
                    "see `ve clusters`",
                )
            })?;
            clusters::list(context, &at, vec![(cluster, found)]).await
        }
    }
}

fn allow_calls(
    library: &Library,
    cluster: ClusterId,
    names: &[String],
) -> Result<Vec<ve_chain::Call>> {
    names
        .iter()
        .map(|name| {
            let template = library.find(name)?;
            Ok(calls::hpc::allow_template(
                cluster,
                template.hash(),
                &name_of("template", name)?,
            ))
        })
        .collect()
}

fn told(context: &Context, cluster: ClusterId, what: &str) -> Result {
    if context.json {
        ui::json(&json!({ "cluster": cluster, "done": what }));
    } else {
        ui::note(format!("cluster {cluster}: {what}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use virtengine_primitives::AssetKind;

    const FILE: &str = "plan.toml";

    #[test]
    fn plan_should_be_read_when_it_is_well_formed() {
        let text = "minimum_charge = \"0.01VE\"\n[rates]\ncpu-seconds = \"2VE\"\n[per_hour]\nmemory-gib = \"0.0036VE\"\n\"gpu:1\" = \"1VE\"\n";
        let plan = parse_plan(Path::new(FILE), text).unwrap();
        assert_eq!(plan.asset, AssetKind::Native);
        assert_eq!(plan.minimum_charge, 10_000_000_000);
        assert!(plan.is_well_formed());
        let rates: Vec<_> = plan
            .rates
            .iter()
            .map(|r| (r.component, r.price_per_million))
            .collect();
        assert_eq!(
            rates,
            [
                (Component::CpuSeconds, 2_000_000_000_000),
                (Component::MemoryMibSeconds, 976_562_500),
                (Component::GpuSeconds(1), 277_777_777_777_777),
            ]
        );
    }

    #[test]
    fn field_should_be_named_when_a_plan_is_malformed() {
        for (text, field) in [
            ("colour = 1", "plan.toml:1:1: unknown field `colour`"),
            (
                "[rates]\ncpu = \"1VE\"",
                "rates.cpu: \"cpu\" is not a component",
            ),
            (
                "[rates]\ncpu-seconds = \"1EUR\"",
                "rates.cpu-seconds: \"1EUR\" is not an amount",
            ),
            ("[per_hour]\ntime = \"1VE\"", "per_hour.time"),
            (
                "[rates]\ncpu-seconds = \"1VE\"\n[per_hour]\ncpu = \"1VE\"",
                "per_hour.cpu: this component is priced twice",
            ),
            ("minimum_charge = \"x\"", "minimum_charge"),
            ("[rates]\ncpu-seconds = 5", "plan.toml:2:15"),
        ] {
            let failure = parse_plan(Path::new(FILE), text).unwrap_err();
            assert!(failure.what.contains(field), "{text}: {}", failure.what);
        }
    }

    #[test]
    fn cluster_should_be_read_when_it_is_well_formed_and_else_the_field_named() {
        let text = "name = \"c\"\nmax_open_jobs = 4\ntemplates = [\"heat\"]\n[[partitions]]\nname = \"main\"\nnodes = 2\ncpus_per_node = 8\nmemory_per_node = \"4GiB\"\nmax_walltime = \"2h\"\nplan = 3\n";
        let (spec, templates) = parse_cluster(Path::new("c.toml"), text).unwrap();
        assert_eq!(templates, ["heat"]);
        let p = &spec.partitions[0];
        assert_eq!(
            (
                p.nodes,
                p.cpus_per_node,
                p.memory_mib_per_node,
                p.max_walltime,
                p.plan
            ),
            (2, 8, 4096, 7200, 3)
        );
        let failure = parse_cluster(Path::new("c.toml"), &text.replace("4GiB", "4")).unwrap_err();
        assert!(
            failure.what.contains("partitions[0].memory_per_node"),
            "{}",
            failure.what
        );
        let failure = parse_cluster(
            Path::new("c.toml"),
            &text.replace("nodes = 2", "nodes = \"two\""),
        )
        .unwrap_err();
        assert!(failure.what.contains("c.toml:6:9"), "{}", failure.what);
    }
}
