//! The native token and the assets pallet seen as one family of assets.

use crate::{AccountId, AssetId, AssetKind, Balance};
use core::marker::PhantomData;
use frame_support::traits::{
    fungible::UnionOf,
    tokens::{ConversionFromAssetBalance, ConversionToAssetBalance},
};
use sp_runtime::DispatchError;
use virtengine_primitives::NativeFromLeft;

/// All money of a runtime behind one `fungibles` face: `Native` is its balances pallet, `Assets` answers for the rest.
pub type NativeAndAssets<Native, Assets> =
    UnionOf<Native, Assets, NativeFromLeft, AssetKind, AccountId>;

/// What a fee in the native token costs in an asset, at the rate that governance has set for the asset.
///
/// An asset without a rate cannot pay fees. `Rates` converts by [`AssetKind`].
pub struct FeeInAsset<Rates>(PhantomData<Rates>);

impl<Rates: ConversionToAssetBalance<Balance, AssetKind, Balance>>
    ConversionToAssetBalance<Balance, AssetId, Balance> for FeeInAsset<Rates>
{
    type Error = Rates::Error;

    fn to_asset_balance(fee: Balance, asset: AssetId) -> Result<Balance, Self::Error> {
        Rates::to_asset_balance(fee, AssetKind::Asset(asset))
    }
}

/// Value of an amount in the native token: the native token is worth itself, an asset what its rate says.
pub struct ValueInNative<Rates>(PhantomData<Rates>);

impl<Rates: ConversionFromAssetBalance<Balance, AssetKind, Balance>>
    ConversionFromAssetBalance<Balance, AssetKind, Balance> for ValueInNative<Rates>
where
    Rates::Error: Into<DispatchError>,
{
    type Error = DispatchError;

    fn from_asset_balance(amount: Balance, kind: AssetKind) -> Result<Balance, DispatchError> {
        match kind {
            AssetKind::Native => Ok(amount),
            kind => Rates::from_asset_balance(amount, kind).map_err(Into::into),
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn ensure_successful(kind: AssetKind) {
        if kind != AssetKind::Native {
            Rates::ensure_successful(kind);
        }
    }
}
