//! What root has approved ahead of time. Referenda and collectives come later, at the indices reserved for them.

use crate::{weights, *};
use frame_support::traits::ConstU32;
use frame_system::EnsureRoot;

impl pallet_whitelist::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WhitelistOrigin = EnsureRoot<AccountId>;
    type DispatchWhitelistedOrigin = EnsureRoot<AccountId>;
    type Preimages = Preimage;
    // Four weeks of six-second blocks.
    type DeferredDispatchExpiration = ConstU32<403_200>;
    type BlockNumberProvider = System;
    type WeightInfo = weights::pallet_whitelist::WeightInfo<Runtime>;
}
