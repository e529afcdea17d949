//! Price plans.

use crate::{
    amounts::Amounts,
    cli::Plan as PlanCommand,
    commands::provider::provider_id,
    config::toml_failure,
    context::{read_text, Context},
    failure::{Failure, Result},
    ui,
};
use serde::Deserialize;
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use ve_chain::{
    calls, invoice,
    money::{self, Amount},
    At,
};
use virtengine_primitives::{
    billing::{Component, PricePlan, Rate},
    AssetKind, Balance,
};

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

/// A plan as its file says it, before it is known how its asset is counted.
struct PlanText {
    path: PathBuf,
    asset: AssetKind,
    file: PlanFile,
}

impl PlanText {
    /// Reads a plan's file. Errors name the field.
    fn parse(path: &Path, text: &str) -> Result<Self> {
        let file: PlanFile =
            toml::from_str(text).map_err(|e| toml_failure("plan", path, text, &e))?;
        let asset = money::parse_asset(file.asset.as_deref().unwrap_or("native"));
        Ok(Self {
            asset: asset.map_err(|e| wrong(path, "asset", e))?,
            path: path.into(),
            file,
        })
    }

    /// The plan; prices are in its asset. Errors name the field.
    fn plan(&self, amounts: &Amounts) -> Result<PricePlan> {
        let wrong = |field: &str, e: String| wrong(&self.path, field, e);
        let amount = |field: &str, text: &str| {
            let amount: Amount = text.parse().map_err(|e| wrong(field, e))?;
            let field = format!("plan {}: {field}", self.path.display());
            amounts.parse(&field, &amount, self.asset)
        };
        let minimum = self.file.minimum_charge.as_deref();
        let minimum_charge = amount("minimum_charge", minimum.unwrap_or("0"))?;
        let mut rates: BTreeMap<Component, Balance> = BTreeMap::new();
        let mut add = |field: String, component: Component, price: Option<Balance>| match price {
            None => Err(wrong(&field, "the price is too large".into())),
            Some(price) if rates.insert(component, price).is_none() => Ok(()),
            Some(_) => Err(wrong(&field, "this component is priced twice".into())),
        };
        for (name, price) in &self.file.rates {
            let field = format!("rates.{name}");
            let component = invoice::parse_component(name).map_err(|e| wrong(&field, e))?;
            add(field.clone(), component, Some(amount(&field, price)?))?;
        }
        for (name, price) in &self.file.per_hour {
            let field = format!("per_hour.{name}");
            let (component, units) = hourly(name).ok_or_else(|| {
                wrong(
                    &field,
                    "it is none of cpu, memory-gib, node, storage-gib, gpu:N and licence:N".into(),
                )
            })?;
            let price = amount(&field, price)?;
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
            asset: self.asset,
            rates,
            minimum_charge,
        })
    }
}

fn wrong(path: &Path, field: &str, e: String) -> Failure {
    Failure::usage(
        format!("plan {}: {field}: {e}", path.display()),
        "correct that field",
    )
}

/// `ve plan`.
pub async fn run(context: &Context, command: PlanCommand) -> Result {
    match command {
        PlanCommand::Publish { file } => {
            let text = PlanText::parse(&file, &read_text("reading the plan", &file)?)?;
            let at = context.chain().await?.at_finalized().await?;
            let field = format!("plan {}: asset", file.display());
            let amounts = Amounts::existing(&at, &field, text.asset).await?;
            let plan = text.plan(&amounts)?;
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
        let amounts = Amounts::of(at, [plan.asset]).await?;
        all.push(json!({
            "plan": id,
            "provider": provider,
            "asset": money::asset_name(plan.asset),
            "minimum_charge": amounts.json(plan.minimum_charge, plan.asset),
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
                ui::right(amounts.text(rate.price_per_million, plan.asset)),
                ui::right(amounts.text(hour, plan.asset)),
            ]);
        }
        table.add_row(vec![
            ui::right(id),
            ui::right(provider),
            "at least, per job".into(),
            ui::right(amounts.text(plan.minimum_charge, plan.asset)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PricePlan> {
        PlanText::parse(Path::new("plan.toml"), text)?.plan(&Amounts::default())
    }

    #[test]
    fn plan_should_be_read_when_it_is_well_formed() {
        let text = "minimum_charge = \"0.01VE\"\n[rates]\ncpu-seconds = \"2VE\"\n[per_hour]\nmemory-gib = \"0.0036VE\"\n\"gpu:1\" = \"1VE\"\n";
        let plan = read(text).unwrap();
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
            (
                "asset = \"asset:7\"\nminimum_charge = \"1VE\"",
                "minimum_charge: \"1VE\" is not an amount",
            ),
            ("asset = \"gold\"", "asset: \"gold\" is not an asset"),
            ("[rates]\ncpu-seconds = 5", "plan.toml:2:15"),
        ] {
            let failure = read(text).unwrap_err();
            assert!(failure.what.contains(field), "{text}: {}", failure.what);
        }
    }
}
