//! Checks everything that a job needs, and says what is missing.

use crate::{
    context::Context,
    failure::{code, Failure, Result},
    library::Library,
    ui,
};
use comfy_table::{Cell, Color};
use serde_json::json;
use ve_chain::{money, Chain};

struct Check {
    name: &'static str,
    good: bool,
    found: String,
    remedy: String,
    code: u8,
}

fn check(name: &'static str, outcome: std::result::Result<String, Failure>) -> Check {
    match outcome {
        Ok(found) => Check {
            name,
            good: true,
            found,
            remedy: String::new(),
            code: 0,
        },
        Err(f) => Check {
            name,
            good: false,
            found: f.what,
            remedy: f.remedy,
            code: f.code,
        },
    }
}

/// `ve doctor`.
pub async fn run(context: &Context) -> Result {
    let config = &context.config;
    let mut checks = vec![check(
        "configuration",
        Ok(if config.found {
            config.file.display().to_string()
        } else {
            format!("defaults (there is no {})", config.file.display())
        }),
    )];
    let connected = context.chain().await;
    let chain = connected.as_ref().ok().copied();
    checks.push(check("node", connected.map(|c| c.url().to_string())));
    if let Some(chain) = chain {
        checks.push(check("chain", chain_check(context, chain).await));
    }
    checks.push(check(
        "key",
        context.key_name(None).and_then(|name| {
            let public = context.keystore().public(&name)?;
            Ok(format!("{name}, {}", public.account))
        }),
    ));
    if let (Some(chain), Ok(_)) = (chain, context.public()) {
        checks.push(check("balance", balance(context, chain).await));
        checks.push(check("encryption key", registered(context, chain).await));
    }
    checks.push(check("artifact store", artifacts(context).await));
    let library = Library::open(&config.templates).map(|l| {
        let names: Vec<String> = l.iter().map(|t| t.name().to_string()).collect();
        (l, names)
    });
    match library {
        Err(e) => checks.push(check("templates", Err(e))),
        Ok((_, names)) if names.is_empty() => checks.push(check(
            "templates",
            Err(Failure::missing(
                format!("{} has none", config.templates.display()),
                "give the folder of the template library with --templates",
            )),
        )),
        Ok((library, names)) => {
            checks.push(check(
                "templates",
                Ok(format!(
                    "{}: {}",
                    config.templates.display(),
                    names.join(", ")
                )),
            ));
            if let Some(chain) = chain {
                checks.push(check("clusters", clusters(chain, &library).await));
            }
        }
    }
    let worst = checks.iter().filter(|c| !c.good).map(|c| c.code).next();
    if context.json {
        let all: Vec<_> = checks
            .iter()
            .map(|c| json!({ "check": c.name, "ok": c.good, "found": c.found, "remedy": c.remedy }))
            .collect();
        ui::json(&json!({ "ok": worst.is_none(), "checks": all }));
    } else {
        let mut table = ui::table(&["", "check", "found", "what to do"]);
        for c in &checks {
            let mark = Cell::new(if c.good { "✓" } else { "✗" });
            let mark = if ui::colours() {
                mark.fg(if c.good { Color::Green } else { Color::Red })
            } else {
                mark
            };
            table.add_row(vec![
                mark,
                c.name.into(),
                c.found.as_str().into(),
                c.remedy.as_str().into(),
            ]);
        }
        ui::print(&table);
    }
    match worst {
        None => Ok(()),
        Some(code) => {
            let bad = checks.iter().filter(|c| !c.good).count();
            Err(Failure::new(
                code,
                format!("{bad} of {} checks failed", checks.len()),
                "see the last column",
            ))
        }
    }
}

async fn chain_check(context: &Context, chain: &Chain) -> Result<String> {
    let head = chain.finalized_head().await?;
    let at = chain.at_head(head);
    // Fits this program: the runtime answers what the workers and `ve` ask.
    at.next_job().await?;
    let pinned = if context.config.genesis.is_some() {
        "as configured"
    } else {
        "not pinned: set `genesis`"
    };
    Ok(format!(
        "genesis {:?} ({pinned}), final at block {}",
        chain.genesis(),
        head.number
    ))
}

async fn balance(context: &Context, chain: &Chain) -> Result<String> {
    let balances = chain
        .at_finalized()
        .await?
        .balances(&context.account()?)
        .await?;
    if balances.free == 0 {
        return Err(Failure::new(
            code::REFUSED,
            "the account has no VE",
            format!("send some to {}", context.public()?.account),
        ));
    }
    Ok(format!(
        "{} free, {} held",
        money::format(balances.free),
        money::format(balances.held)
    ))
}

async fn registered(context: &Context, chain: &Chain) -> Result<String> {
    let name = context.key_name(None)?;
    let public = context.public()?;
    let own = hex::decode(public.encryption.trim_start_matches("0x")).unwrap_or_default();
    let keys = chain
        .at_finalized()
        .await?
        .keys(&context.account()?)
        .await?;
    match keys.iter().find(|(_, k)| k.public[..] == own[..]) {
        Some((id, k)) => Ok(format!("{} ({})", hex::encode(id), ui::clean(&k.label))),
        None => Err(Failure::new(
            code::REFUSED,
            "not registered: no result could be sealed to you",
            format!("ve key register {name}"),
        )),
    }
}

async fn artifacts(context: &Context) -> Result<String> {
    let store = context.artifacts()?;
    let path = format!("doctor/{}", std::process::id());
    store.put(&path, &b"written by ve doctor"[..]).await?;
    store.delete(&path).await?;
    Ok(format!("{} can be written", store.url()))
}

async fn clusters(chain: &Chain, library: &Library) -> Result<String> {
    let at = chain.at_finalized().await?;
    let (mut runs, mut total) = (0, 0);
    for (id, _) in at.all_clusters().await? {
        total += 1;
        let templates = at.templates(id).await?;
        if library
            .iter()
            .any(|t| templates.iter().any(|(hash, _)| *hash == t.hash()))
        {
            runs += 1;
        }
    }
    if runs == 0 {
        return Err(Failure::missing(
            format!("none of the {total} clusters runs a template of this library"),
            "see `ve clusters`; providers allow templates with `ve cluster allow-template`",
        ));
    }
    Ok(format!("{runs} of {total} run templates of this library"))
}
