//! What a transaction costs and who gets it.
//!
//! Fees: four fifths to the treasury, one fifth to the author of the block. Tips: all to the author. Without an author
//! (a block that no known validator built), or if the author cannot receive, everything goes to the treasury.

use crate::{pots, AccountId, Balance};
use core::marker::PhantomData;
use frame_support::{
    parameter_types,
    traits::{fungible, fungibles, Imbalance, OnUnbalanced},
    weights::{Weight, WeightToFee},
};
use pallet_asset_tx_payment::HandleCredit;
use pallet_transaction_payment::{Multiplier, TargetedFeeAdjustment};
use sp_runtime::{traits::Bounded, FixedPointNumber, Perquintill};

/// Of 100 parts of a fee, those that go to the treasury.
pub const TREASURY_SHARE: u32 = 80;
/// Of 100 parts of a fee, those that go to the author of the block.
pub const AUTHOR_SHARE: u32 = 20;

/// One unit (10^-12 VE) per picosecond of execution: a full second costs one VE. Rounding: none.
pub struct WeightFee;
impl WeightToFee for WeightFee {
    type Balance = Balance;

    fn weight_to_fee(weight: &Weight) -> Balance {
        weight.ref_time().into()
    }
}

/// 10^6 units a byte: a megabyte costs one VE.
pub struct LengthFee;
impl WeightToFee for LengthFee {
    type Balance = Balance;

    fn weight_to_fee(length: &Weight) -> Balance {
        Balance::from(length.ref_time()).saturating_mul(1_000_000)
    }
}

parameter_types! {
    /// Fullness of a block (of what ordinary transactions may fill) at which fees stay as they are.
    pub const TargetBlockFullness: Perquintill = Perquintill::from_percent(25);
    /// How quickly fees follow: at most about a fifth a day with blocks of six seconds.
    pub AdjustmentVariable: Multiplier = Multiplier::saturating_from_rational(75, 1_000_000);
    /// Fees never fall below what the formulas above say.
    pub MinimumMultiplier: Multiplier = Multiplier::from_u32(1);
    /// No ceiling: congestion is priced, not refused.
    pub MaximumMultiplier: Multiplier = Bounded::max_value();
}

/// Fees rise while blocks are fuller than the target and fall back to the plain price afterwards.
pub type FeeAdjustment<T> = TargetedFeeAdjustment<
    T,
    TargetBlockFullness,
    AdjustmentVariable,
    MinimumMultiplier,
    MaximumMultiplier,
>;

type NativeCredit<T> = fungible::Credit<AccountId, pallet_balances::Pallet<T>>;

/// Divides fees and tips in the native token.
pub struct DivideFees<T>(PhantomData<T>);

impl<T> DivideFees<T>
where
    T: frame_system::Config<AccountId = AccountId>
        + pallet_balances::Config
        + pallet_authorship::Config,
{
    fn pay(who: &AccountId, credit: NativeCredit<T>) -> Result<(), NativeCredit<T>> {
        <pallet_balances::Pallet<T> as fungible::Balanced<AccountId>>::resolve(who, credit)
    }

    fn to_treasury(credit: NativeCredit<T>) {
        // The treasury is endowed at genesis, so this succeeds; were it not, the drop burns the credit.
        let _ = Self::pay(&pots::treasury(), credit);
    }

    fn to_author(credit: NativeCredit<T>) {
        let rest = match pallet_authorship::Pallet::<T>::author() {
            Some(author) => Self::pay(&author, credit).err(),
            None => Some(credit),
        };
        if let Some(rest) = rest {
            Self::to_treasury(rest);
        }
    }
}

impl<T> OnUnbalanced<NativeCredit<T>> for DivideFees<T>
where
    T: frame_system::Config<AccountId = AccountId>
        + pallet_balances::Config
        + pallet_authorship::Config,
{
    fn on_unbalanceds(mut fee_then_tip: impl Iterator<Item = NativeCredit<T>>) {
        let Some(fee) = fee_then_tip.next() else {
            return;
        };
        let (treasury, mut author) = fee.ration(TREASURY_SHARE, AUTHOR_SHARE);
        if let Some(tip) = fee_then_tip.next() {
            author.subsume(tip);
        }
        Self::to_treasury(treasury);
        Self::to_author(author);
    }
}

/// Divides fees that were paid in an asset, in the same proportion. The tip is not told apart from the fee here.
pub struct DivideAssetFees<T>(PhantomData<T>);

impl<T, Assets> HandleCredit<AccountId, Assets> for DivideAssetFees<T>
where
    T: frame_system::Config<AccountId = AccountId> + pallet_authorship::Config,
    Assets: fungibles::Balanced<AccountId>,
{
    fn handle_credit(credit: fungibles::Credit<AccountId, Assets>) {
        // Rounded in favour of the treasury.
        let for_author = credit.peek() / (100 / AUTHOR_SHARE).into();
        let (author, treasury) = credit.split(for_author);
        // An account that does not hold the asset yet may be unable to receive little of it: then it is burned, which
        // favours the holders of the asset and can never make a transaction fail.
        let _ = Assets::resolve(&pots::treasury(), treasury);
        let rest = match pallet_authorship::Pallet::<T>::author() {
            Some(who) => Assets::resolve(&who, author).err(),
            None => Some(author),
        };
        if let Some(rest) = rest {
            let _ = Assets::resolve(&pots::treasury(), rest);
        }
    }
}
