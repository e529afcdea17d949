//! Batches, shared accounts, and accounts that act for others.

use crate::{currency::deposit, weights, *};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    parameter_types,
    traits::{ConstU32, InstanceFilter},
};
use scale_info::TypeInfo;

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = weights::pallet_utility::WeightInfo<Runtime>;
}

parameter_types! {
    /// Deposit for an open shared call.
    pub const MultisigDepositBase: Balance = deposit(1, 88);
    /// Deposit for each signatory of it.
    pub const MultisigDepositFactor: Balance = deposit(0, 32);
    /// Deposit for having proxies.
    pub const ProxyDepositBase: Balance = deposit(1, 8);
    /// Deposit for each proxy.
    pub const ProxyDepositFactor: Balance = deposit(0, 33);
    /// Deposit for having announcements.
    pub const AnnouncementDepositBase: Balance = deposit(1, 8);
    /// Deposit for each announcement.
    pub const AnnouncementDepositFactor: Balance = deposit(0, 66);
}

impl pallet_multisig::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type DepositBase = MultisigDepositBase;
    type DepositFactor = MultisigDepositFactor;
    type MaxSignatories = ConstU32<100>;
    type WeightInfo = weights::pallet_multisig::WeightInfo<Runtime>;
    type BlockNumberProvider = System;
}

/// What one account may do for another.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum ProxyType {
    /// Everything.
    #[default]
    #[codec(index = 0)]
    Any,
    /// Whatever transfers nothing to anybody else.
    #[codec(index = 1)]
    NonTransfer,
    /// Reject announcements of other proxies.
    #[codec(index = 2)]
    CancelProxy,
    /// Buy compute: submit and cancel jobs, dispute, clean up, manage encryption keys. It can spend on compute, and on
    /// nothing else; what a provider does is not for it.
    #[codec(index = 3)]
    Compute,
}

impl InstanceFilter<RuntimeCall> for ProxyType {
    fn filter(&self, call: &RuntimeCall) -> bool {
        match self {
            ProxyType::Any => true,
            ProxyType::NonTransfer => matches!(
                call,
                RuntimeCall::System(..)
                    | RuntimeCall::Timestamp(..)
                    | RuntimeCall::Preimage(..)
                    | RuntimeCall::Babe(..)
                    | RuntimeCall::Grandpa(..)
                    | RuntimeCall::Session(..)
                    | RuntimeCall::Utility(..)
                    | RuntimeCall::Multisig(..)
                    | RuntimeCall::Proxy(..)
                    | RuntimeCall::Accounts(..)
                    | RuntimeCall::Keyring(..)
            ),
            ProxyType::Compute => matches!(
                call,
                RuntimeCall::Hpc(
                    pallet_hpc::Call::submit { .. }
                        | pallet_hpc::Call::cancel { .. }
                        | pallet_hpc::Call::expire { .. }
                        | pallet_hpc::Call::prune { .. }
                ) | RuntimeCall::Billing(
                    pallet_billing::Call::dispute { .. }
                        | pallet_billing::Call::settle { .. }
                        | pallet_billing::Call::prune_agreement { .. }
                ) | RuntimeCall::Keyring(..)
                    | RuntimeCall::Utility(..)
                    | RuntimeCall::Multisig(..)
            ),
            ProxyType::CancelProxy => matches!(
                call,
                RuntimeCall::Proxy(pallet_proxy::Call::reject_announcement { .. })
                    | RuntimeCall::Utility(..)
                    | RuntimeCall::Multisig(..)
            ),
        }
    }

    fn is_superset(&self, other: &Self) -> bool {
        match (self, other) {
            (left, right) if left == right => true,
            (ProxyType::Any, _) => true,
            (_, ProxyType::Any) => false,
            (ProxyType::NonTransfer, ProxyType::CancelProxy) => true,
            _ => false,
        }
    }
}

impl pallet_proxy::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type ProxyType = ProxyType;
    type ProxyDepositBase = ProxyDepositBase;
    type ProxyDepositFactor = ProxyDepositFactor;
    type MaxProxies = ConstU32<32>;
    type WeightInfo = weights::pallet_proxy::WeightInfo<Runtime>;
    type MaxPending = ConstU32<32>;
    type CallHasher = Hashing;
    type AnnouncementDepositBase = AnnouncementDepositBase;
    type AnnouncementDepositFactor = AnnouncementDepositFactor;
    type BlockNumberProvider = System;
}
