//! Keys.

use crate::{
    amounts::native_json,
    cli::{Key, Secret},
    context::Context,
    failure::{Failure, Result},
    keystore::Entry,
    ui,
};
use age::secrecy::SecretString;
use serde_json::json;
use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};
use ve_chain::{calls, money, AccountId32, Submitter};
use virtengine_primitives::{envelope::key_id, Name};
use zeroize::Zeroizing;

/// `ve key`.
pub async fn run(context: &Context, command: Key) -> Result {
    match command {
        Key::New {
            name,
            register,
            from_uri,
        } => new(context, &name, register, from_uri).await,
        Key::List => list(context),
        Key::Show { name } => show(context, name.as_deref()).await,
        Key::Register { name, label } => register(context, name.as_deref(), label).await,
        Key::Export {
            name,
            secret,
            output,
        } => export(context, name.as_deref(), secret, output.as_deref()),
    }
}

async fn new(context: &Context, name: &str, register: bool, from_uri: Option<String>) -> Result {
    let store = context.keystore();
    if store.exists(name)? {
        return Err(Failure::usage(
            format!("key: there is a key {name:?} already"),
            "choose another name; a key is never overwritten",
        ));
    }
    // Nobody wants a key left behind by a node that did not answer.
    if register {
        context.chain().await?;
    }
    let entry = match from_uri {
        None => Entry::random()?,
        Some(uri) => {
            let uri = if uri == "-" {
                first_line()?
            } else {
                SecretString::from(uri)
            };
            Entry::from_uri(&uri)?
        }
    };
    let passphrase = context.passphrase(name, true)?;
    store.create(name, &entry, &passphrase)?;
    if register {
        let chain = context.chain().await?;
        let submitter = context.submitter_of(chain, entry.secrets.signer.clone());
        let public = entry.secrets.encryption.public().to_bytes();
        register_key(context, &submitter, public, name)
            .await
            .map_err(|e| {
                let made = format!("the key was made, but not registered: {}", e.what);
                Failure::new(
                    e.code,
                    made,
                    format!("{}; then `ve key register {name}`", e.remedy),
                )
            })?;
    }
    let public = entry.secrets.public();
    if context.json {
        ui::json(
            &json!({ "name": name, "account": public.account, "encryption": public.encryption, "registered": register }),
        );
    } else {
        ui::facts(&[
            ("key", name.into()),
            ("account", public.account),
            ("encryption key", public.encryption),
            (
                "kept in",
                store
                    .folder()
                    .join(format!("{name}.age"))
                    .display()
                    .to_string(),
            ),
            (
                "registered",
                if register {
                    "yes".into()
                } else {
                    format!("no: ve key register {name}")
                },
            ),
        ]);
    }
    Ok(())
}

fn first_line() -> Result<SecretString> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut line).map_err(|e| {
        Failure::local(
            format!("reading the secret: {e}"),
            "give it on standard input",
        )
    })?;
    Ok(SecretString::from(
        line.trim_end_matches(['\r', '\n']).to_string(),
    ))
}

fn list(context: &Context) -> Result {
    let store = context.keystore();
    let used = context.key_name(None).ok();
    let mut rows = Vec::new();
    for name in store.names()? {
        rows.push((name.clone(), store.public(&name)?));
    }
    if context.json {
        let all: Vec<_> = rows
            .iter()
            .map(|(name, p)| json!({ "name": name, "account": p.account, "encryption": p.encryption, "in_use": Some(name) == used.as_ref() }))
            .collect();
        ui::json(&json!(all));
        return Ok(());
    }
    if rows.is_empty() {
        ui::note("no key yet; make one with `ve key new NAME --register`");
        return Ok(());
    }
    let mut table = ui::table(&["key", "account", "encryption key", "in use"]);
    for (name, p) in rows {
        let in_use = if Some(&name) == used.as_ref() {
            "yes"
        } else {
            ""
        };
        table.add_row([name.as_str(), &p.account, &p.encryption, in_use]);
    }
    ui::print(&table);
    Ok(())
}

async fn show(context: &Context, name: Option<&str>) -> Result {
    let name = context.key_name(name)?;
    let public = context.keystore().public(&name)?;
    let account = crate::context::parse_account(&public.account)?;
    let at = context.chain().await?.at_finalized().await?;
    let balances = at.balances(&account).await?;
    let keys = at.keys(&account).await?;
    let (state, roles) = at.account(&account).await?;
    let own = hex::decode(public.encryption.trim_start_matches("0x")).unwrap_or_default();
    let registered = keys.iter().any(|(_, k)| k.public[..] == own[..]);
    if context.json {
        ui::json(&json!({
            "name": name,
            "account": public.account,
            "encryption": public.encryption,
            "registered": registered,
            "state": format!("{state:?}").to_lowercase(),
            "roles": roles.iter().map(|r| format!("{r:?}")).collect::<Vec<_>>(),
            "free": native_json(balances.free),
            "held": native_json(balances.held),
        }));
        return Ok(());
    }
    let keys: Vec<String> = keys
        .iter()
        .map(|(id, k)| format!("{} ({})", hex::encode(id), ui::clean(&k.label)))
        .collect();
    let roles: Vec<String> = roles
        .iter()
        .map(|r| format!("{r:?}").to_lowercase())
        .collect();
    let or_none = |all: Vec<String>| {
        if all.is_empty() {
            "none".into()
        } else {
            all.join(", ")
        }
    };
    ui::facts(&[
        ("key", name.clone()),
        ("account", public.account),
        ("standing", format!("{state:?}").to_lowercase()),
        ("roles", or_none(roles)),
        ("free", money::format(balances.free)),
        ("held", money::format(balances.held)),
        ("encryption key", public.encryption),
        (
            "registered",
            if registered {
                "yes".into()
            } else {
                format!("no: ve key register {name}")
            },
        ),
        ("all registered keys", or_none(keys)),
    ]);
    Ok(())
}

async fn register(context: &Context, name: Option<&str>, label: Option<String>) -> Result {
    let name = context.key_name(name)?;
    let submitter = context.submitter(Some(&name)).await?;
    let public = context.keystore().public(&name)?.encryption;
    let bytes = hex::decode(public.trim_start_matches("0x")).unwrap_or_default();
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| {
        Failure::local(
            format!("key: {public:?} is no key"),
            "restore the key's .pub file",
        )
    })?;
    let fresh = register_key(
        context,
        &submitter,
        bytes,
        &label.unwrap_or_else(|| name.clone()),
    )
    .await?;
    if context.json {
        ui::json(
            &json!({ "name": name, "key": hex::encode(key_id(&bytes)), "registered": true, "fresh": fresh }),
        );
    } else {
        let done = if fresh {
            "registered"
        } else {
            "was registered already"
        };
        ui::note(format!(
            "{done}: {name}, encryption key {}",
            hex::encode(key_id(&bytes))
        ));
    }
    Ok(())
}

/// Registers an encryption key; `false` if it is registered already.
pub async fn register_key(
    context: &Context,
    submitter: &Submitter,
    public: [u8; 32],
    label: &str,
) -> Result<bool> {
    let account: &AccountId32 = submitter.account();
    let keys = submitter
        .chain()
        .at_finalized()
        .await?
        .keys(account)
        .await?;
    if keys.iter().any(|(_, k)| k.public == public) {
        return Ok(false);
    }
    let label = name_of("label", label)?;
    context
        .submit_with(submitter, calls::keyring::register_key(public, &label))
        .await?;
    Ok(true)
}

/// A short name for the chain.
pub fn name_of(field: &str, text: &str) -> Result<Name> {
    let name = Name::try_from(text.as_bytes().to_vec()).map_err(|_| {
        Failure::usage(
            format!("{field}: {text:?} has more than 64 bytes"),
            "shorten it",
        )
    })?;
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Failure::usage(
            format!("{field}: {text:?} is empty or has control characters"),
            "write a plain name",
        ));
    }
    Ok(name)
}

fn export(
    context: &Context,
    name: Option<&str>,
    secret: Option<Secret>,
    output: Option<&Path>,
) -> Result {
    let name = context.key_name(name)?;
    context.keystore().public(&name)?;
    let entry = context
        .keystore()
        .open(&name, &context.passphrase(&name, false)?)?;
    let signing = entry
        .secrets
        .seed()
        .unwrap_or_else(|| Zeroizing::new(entry.uri().unwrap_or_default().to_string()));
    let encryption = Zeroizing::new(format!(
        "0x{}",
        hex::encode(*entry.secrets.encryption.to_bytes())
    ));
    let mut text = Zeroizing::new(match secret {
        Some(Secret::Signing) => signing.to_string(),
        Some(Secret::Encryption) => encryption.to_string(),
        None => {
            let all = Exported {
                account: &entry.secrets.public().account,
                signing: &signing,
                encryption: &encryption,
            };
            serde_json::to_string_pretty(&all).unwrap_or_default()
        }
    });
    text.push('\n');
    let Some(path) = output else {
        crate::ui::write(&text);
        return Ok(());
    };
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut f| {
            f.write_all(text.as_bytes())?;
            f.sync_all()
        })
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::local(
                format!("-o: {} is there already", path.display()),
                "choose another file; secrets are never written over anything",
            ),
            _ => Failure::file("writing", path, &e),
        })?;
    if context.json {
        ui::json(&json!({ "name": name, "file": path }));
    }
    Ok(())
}

/// A key's secrets in the clear.
#[derive(serde::Serialize)]
struct Exported<'a> {
    account: &'a str,
    signing: &'a str,
    encryption: &'a str,
}
