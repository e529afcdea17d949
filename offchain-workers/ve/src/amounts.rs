//! Amounts as people read and write them, whatever asset they are in.

use crate::failure::{Failure, Result};
use serde_json::{json, Value};
use std::collections::BTreeMap;
use ve_chain::{
    money::{Amount, Unit},
    At,
};
use virtengine_primitives::{AssetKind, Balance};

/// How the assets at hand are counted: the chain's token always, others as far as they were asked for.
#[derive(Debug, Default)]
pub struct Amounts(BTreeMap<AssetKind, Unit>);

impl Amounts {
    /// Reads how these assets are counted.
    pub async fn of(at: &At, assets: impl IntoIterator<Item = AssetKind>) -> Result<Self> {
        let mut known = BTreeMap::new();
        for asset in assets {
            if asset == AssetKind::Native || known.contains_key(&asset) {
                continue;
            }
            if let Some(unit) = at.unit(asset).await? {
                known.insert(asset, unit);
            }
        }
        Ok(Self(known))
    }

    /// As [`Self::of`], for the asset that somebody named in `field`: it must be there.
    pub async fn existing(at: &At, field: &str, asset: AssetKind) -> Result<Self> {
        let AssetKind::Asset(id) = asset else {
            return Ok(Self::default());
        };
        let unit = at.unit(asset).await?.ok_or_else(|| {
            Failure::missing(
                format!("{field}: there is no asset {id} on this chain"),
                "name one that there is, or leave it out to pay in VE",
            )
        })?;
        Ok(Self(BTreeMap::from([(asset, unit)])))
    }

    fn unit(&self, asset: AssetKind) -> Unit {
        match (self.0.get(&asset), asset) {
            (Some(unit), _) => unit.clone(),
            (None, AssetKind::Native) => Unit::native(),
            // Destroyed since, or never asked about: smallest units are always right.
            (None, AssetKind::Asset(id)) => Unit::of_asset(id, b"", 0),
        }
    }

    /// For people.
    pub fn text(&self, amount: Balance, asset: AssetKind) -> String {
        self.unit(asset).format(amount)
    }

    /// For programs: smallest units as a decimal string, and as people write it.
    pub fn json(&self, amount: Balance, asset: AssetKind) -> Value {
        json!({ "units": amount.to_string(), "text": self.text(amount, asset) })
    }

    /// Smallest units of what somebody wrote in `field`.
    pub fn parse(&self, field: &str, amount: &Amount, asset: AssetKind) -> Result<Balance> {
        amount
            .of(&self.unit(asset))
            .map_err(|e| Failure::usage(format!("{field}: {e}"), "correct that amount"))
    }
}

/// An amount of the chain's token, for programs.
pub fn native_json(amount: Balance) -> Value {
    Amounts::default().json(amount, AssetKind::Native)
}
