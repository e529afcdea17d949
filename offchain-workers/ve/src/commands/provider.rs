//! A provider's organisation: its bond and its workers' keys.

use crate::{
    amounts::native_json,
    cli::{HotKey, Provider as ProviderCommand},
    commands::key::name_of,
    context::Context,
    failure::{Failure, Result},
    ui,
};
use serde_json::json;
use ve_chain::{calls, money, At};
use virtengine_primitives::{Balance, ProviderId};

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
pub async fn provider_id(
    context: &Context,
    at: &At,
    given: Option<ProviderId>,
) -> Result<ProviderId> {
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
            "bond": native_json(provider.bond),
            "locked": native_json(provider.locked),
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
