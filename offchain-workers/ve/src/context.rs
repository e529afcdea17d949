//! What commands work with: configuration, keys, connection, artifacts.

use crate::{
    cli::Global,
    config::{Config, Overrides},
    failure::{Failure, Result},
    keystore::{Keystore, PublicKeys, Secrets},
};
use age::secrecy::SecretString;
use sp_core::crypto::Ss58Codec;
use std::{io::IsTerminal, path::Path};
use tokio::sync::OnceCell;
use ve_chain::{
    AccountId32, Call, Chain, ConnectOptions, Progress, Signer, Submitted, Submitter, Until,
};
use ve_store::Artifacts;
use virtengine_primitives::AssetId;

/// What commands work with.
pub struct Context {
    /// What is in force.
    pub config: Config,
    /// Whether programs read the output.
    pub json: bool,
    until: Until,
    keystore: Keystore,
    passphrase_file: Option<std::path::PathBuf>,
    fee_asset: Option<AssetId>,
    chain: OnceCell<Chain>,
}

impl Context {
    /// Reads the configuration; connects to nothing.
    pub fn new(global: &Global) -> Result<Self> {
        let overrides = Overrides {
            url: global.url.clone(),
            key: global.key.clone(),
            artifacts: global.artifacts.clone(),
            templates: global.templates.clone(),
            config: global.config.clone(),
        };
        let config = Config::load(overrides, &|name| std::env::var(name).ok())?;
        Ok(Self {
            keystore: Keystore::new(&config.keystore),
            json: global.json,
            until: if global.included {
                Until::Included
            } else {
                Until::Finalized
            },
            passphrase_file: global.passphrase_file.clone(),
            fee_asset: global.fee_asset,
            chain: OnceCell::new(),
            config,
        })
    }

    /// The connection.
    pub async fn chain(&self) -> Result<&Chain> {
        self.chain
            .get_or_try_init(|| async {
                let options = ConnectOptions {
                    expected_genesis: self.config.genesis,
                    ..ConnectOptions::default()
                };
                Ok(Chain::connect(&self.config.url, options).await?)
            })
            .await
    }

    /// The artifact store.
    pub fn artifacts(&self) -> Result<Artifacts> {
        Artifacts::open(&self.config.artifacts).map_err(|e| {
            Failure::usage(
                format!("artifacts: {e}"),
                "correct --artifacts or `artifacts` in the configuration",
            )
        })
    }

    /// The keystore.
    pub fn keystore(&self) -> &Keystore {
        &self.keystore
    }

    /// Name of the key in use: `name`, else the configured one, else the only one.
    pub fn key_name(&self, name: Option<&str>) -> Result<String> {
        if let Some(name) = name.or(self.config.key.as_deref()) {
            return Ok(name.to_string());
        }
        let names = self.keystore.names()?;
        match names.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(Failure::missing(
                "key: there is none yet",
                "make one with `ve key new NAME --register`",
            )),
            _ => Err(Failure::usage(
                format!("key: there are several ({})", names.join(", ")),
                "choose one with --key, or set `key` in the configuration",
            )),
        }
    }

    /// The public half of the key in use.
    pub fn public(&self) -> Result<PublicKeys> {
        self.keystore.public(&self.key_name(None)?)
    }

    /// The account of the key in use; asks for no passphrase.
    pub fn account(&self) -> Result<AccountId32> {
        parse_account(&self.public()?.account)
    }

    /// An account given as SS58 text or as the name of a key.
    pub fn account_of(&self, text: &str) -> Result<AccountId32> {
        if self.keystore.exists(text).unwrap_or(false) {
            return parse_account(&self.keystore.public(text)?.account);
        }
        parse_account(text)
    }

    /// The secrets of a key; asks for the passphrase if nobody gave it.
    pub fn secrets(&self, name: Option<&str>) -> Result<Secrets> {
        let name = self.key_name(name)?;
        // Ask only for a key that is there.
        self.keystore.public(&name)?;
        Ok(self
            .keystore
            .open(&name, &self.passphrase(&name, false)?)?
            .secrets)
    }

    /// The passphrase: `--passphrase-file`, `VE_PASSPHRASE`, or asked for (twice for a new key).
    pub fn passphrase(&self, name: &str, new: bool) -> Result<SecretString> {
        use age::secrecy::ExposeSecret;
        let passphrase = self.given_passphrase(name, new)?;
        if new && passphrase.expose_secret().is_empty() {
            return Err(Failure::usage(
                "passphrase: it is empty",
                "choose one that nobody guesses",
            ));
        }
        Ok(passphrase)
    }

    fn given_passphrase(&self, name: &str, new: bool) -> Result<SecretString> {
        if let Some(path) = &self.passphrase_file {
            let text = zeroize::Zeroizing::new(
                std::fs::read_to_string(path)
                    .map_err(|e| Failure::file("reading the passphrase file", path, &e))?,
            );
            return Ok(SecretString::from(
                text.lines().next().unwrap_or_default().to_string(),
            ));
        }
        if let Ok(passphrase) = std::env::var("VE_PASSPHRASE") {
            return Ok(SecretString::from(passphrase));
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                format!("key: the passphrase of {name:?} is needed and nobody can be asked"),
                "set VE_PASSPHRASE or give --passphrase-file",
            ));
        }
        let ask = |text: String| {
            rpassword::prompt_password(text)
                .map(SecretString::from)
                .map_err(|e| {
                    Failure::local(
                        format!("reading the passphrase: {e}"),
                        "set VE_PASSPHRASE or give --passphrase-file",
                    )
                })
        };
        use age::secrecy::ExposeSecret;
        if !new {
            return ask(format!("Passphrase of {name}: "));
        }
        let first = ask(format!("New passphrase for {name}: "))?;
        if ask("Once more: ".into())?.expose_secret() != first.expose_secret() {
            return Err(Failure::usage("passphrase: the two differ", "try again"));
        }
        Ok(first)
    }

    /// A submitter for the key in use.
    pub async fn submitter(&self, name: Option<&str>) -> Result<Submitter> {
        // The node first: nobody types a passphrase for nothing.
        let chain = self.chain().await?.clone();
        Ok(self.submitter_of(&chain, self.secrets(name)?.signer))
    }

    /// A submitter for secrets that are open already.
    pub fn submitter_of(&self, chain: &Chain, signer: Signer) -> Submitter {
        Submitter::new(chain.clone(), signer).paying_fees_in(self.fee_asset)
    }

    /// Submits a call with the key in use, showing progress, and waits until it is final.
    pub async fn submit(&self, call: Call) -> Result<Submitted> {
        let submitter = self.submitter(None).await?;
        self.submit_with(&submitter, call).await
    }

    /// As [`Self::submit`], with a submitter that is there already.
    pub async fn submit_with(&self, submitter: &Submitter, call: Call) -> Result<Submitted> {
        let bar = crate::ui::spinner(format!("sending {}", call.title()));
        let shown = bar.clone();
        let outcome = submitter
            .submit_until(call, self.until, move |progress| match progress {
                Progress::Sent(_) => shown.set_message("waiting for a block"),
                Progress::Included(head) => {
                    shown.set_message(format!("in block {}, waiting for finality", head.number))
                }
                Progress::Finalized(head) => {
                    shown.set_message(format!("final in block {}", head.number))
                }
            })
            .await;
        bar.finish_and_clear();
        Ok(outcome?)
    }
}

/// An account from its SS58 text.
pub fn parse_account(text: &str) -> Result<AccountId32> {
    AccountId32::from_ss58check(text).map_err(|_| {
        Failure::usage(
            format!("account: {text:?} is neither an SS58 account nor the name of a key"),
            "see `ve key list`",
        )
    })
}

/// Reads a text file that the person named.
pub fn read_text(what: &str, path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Failure::file(what, path, &e))
}
