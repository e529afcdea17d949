//! Roles.

use crate::{
    cli::RoleCommand,
    context::Context,
    failure::{Failure, Result},
    keystore::account_text,
    ui,
};
use serde_json::{json, Value};
use ve_chain::{calls, AccountId32};
use virtengine_primitives::Role;

/// A role from its name: `administrator`, `support-agent`, ...
pub fn parse(text: &str) -> std::result::Result<Role, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "administrator" => Role::Administrator,
        "moderator" => Role::Moderator,
        "provider" => Role::Provider,
        "support-agent" => Role::SupportAgent,
        "customer" => Role::Customer,
        "validator" => Role::Validator,
        "arbiter" => Role::Arbiter,
        "attestor" => Role::Attestor,
        _ => {
            return Err(format!(
                "{text:?} is not a role that can be given; there are administrator, moderator, provider, \
                 support-agent, customer, validator, arbiter and attestor"
            ))
        }
    })
}

/// What was done, for programs; `changed` is false when it was so already.
fn said(who: &AccountId32, role: Role, given: bool, changed: bool) -> Value {
    json!({
        "account": account_text(who),
        "role": format!("{role:?}"),
        "given": given,
        "changed": changed,
    })
}

/// `ve role`.
pub async fn run(context: &Context, command: RoleCommand) -> Result {
    let (account, role, give) = match command {
        RoleCommand::Give { account, role } => (account, role, true),
        RoleCommand::Take { account, role } => (account, role, false),
    };
    let who = context.account_of(&account)?;
    let (_, roles) = context
        .chain()
        .await?
        .at_finalized()
        .await?
        .account(&who)
        .await?;
    if roles.contains(&role) == give {
        let text = if give {
            "has that role already"
        } else {
            "does not have that role"
        };
        if give {
            if context.json {
                ui::json(&said(&who, role, give, false));
            } else {
                ui::note(format!("{account} {text}"));
            }
            return Ok(());
        }
        return Err(Failure::missing(
            format!("account: {account} {text}"),
            "see `ve key show`",
        ));
    }
    let call = if give {
        calls::accounts::nominate(&who, role)
    } else {
        calls::accounts::revoke(&who, role)
    };
    context.submit(call).await?;
    if context.json {
        ui::json(&said(&who, role, give, true));
    } else {
        ui::note(format!(
            "{account} {} {}",
            if give { "is now" } else { "is no longer" },
            format!("{role:?}").to_lowercase()
        ));
    }
    Ok(())
}
