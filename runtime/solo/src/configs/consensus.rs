//! Who builds blocks, who finalises them, and what happens to those who cheat.
//!
//! Selection by stake is a later step; it replaces `Validators` and touches nothing outside this file.

use crate::{currency::UNITS, weights, *};
use frame_support::{
    parameter_types,
    traits::{ConstU128, ConstU32, ConstU64},
};
use frame_system::EnsureRoot;
use pallet_session::{
    disabling::UpToLimitDisablingStrategy, historical::NoteHistoricalRoot,
    FindAccountFromAuthorIndex,
};
use sp_consensus_babe::BabeEpochConfiguration;
use sp_runtime::traits::{ConvertInto, OpaqueKeys};

/// One slot in four has a primary author; the others fall to a secondary one, chosen verifiably at random.
pub const EPOCH_CONFIG: BabeEpochConfiguration = BabeEpochConfiguration {
    c: (1, 4),
    allowed_slots: sp_consensus_babe::AllowedSlots::PrimaryAndSecondaryVRFSlots,
};

/// Most validators.
pub type MaxValidators = ConstU32<128>;

parameter_types! {
    /// How long an equivocation can be reported, in blocks: as long as its session can be proven.
    pub ReportLongevity: u64 = parameters::EpochLength::<Runtime>::get().saturating_mul(validators::PROVABLE_SESSIONS.into());
}

impl pallet_babe::Config for Runtime {
    type EpochDuration = parameters::EpochLengthOf<Runtime>;
    type ExpectedBlockTime = parameters::SlotDurationOf<Runtime>;
    type EpochChangeTrigger = pallet_babe::ExternalTrigger;
    type DisabledValidators = Session;
    type WeightInfo = ();
    type MaxAuthorities = MaxValidators;
    type MaxNominators = ConstU32<0>;
    type KeyOwnerProof = sp_session::MembershipProof;
    type EquivocationReportSystem =
        pallet_babe::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MaxAuthorities = MaxValidators;
    type MaxNominators = ConstU32<0>;
    type MaxSetIdSessionEntries = ConstU64<168>;
    type KeyOwnerProof = sp_session::MembershipProof;
    type EquivocationReportSystem =
        pallet_grandpa::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
}

impl pallet_authorship::Config for Runtime {
    type FindAuthor = FindAccountFromAuthorIndex<Self, Babe>;
    type EventHandler = ();
}

impl validators::Config for Runtime {
    type UpdateOrigin = EnsureRoot<AccountId>;
    type MaxValidators = MaxValidators;
    type WeightInfo = weights::virtengine_runtime_common_validators::WeightInfo<Runtime>;
}

impl pallet_offences::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type IdentificationTuple = pallet_session::historical::IdentificationTuple<Self>;
    type OnOffenceHandler = Validators;
}

impl pallet_session::historical::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type FullIdentification = ();
    type FullIdentificationOf = validators::AccountOnly;
}

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = Babe;
    type NextSessionRotation = Babe;
    type SessionManager = NoteHistoricalRoot<Self, Validators>;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    type DisablingStrategy = UpToLimitDisablingStrategy;
    type WeightInfo = weights::pallet_session::WeightInfo<Runtime>;
    type Currency = Balances;
    type KeyDeposit = ConstU128<{ 10 * UNITS }>;
}

// Reports of equivocations are transactions that a validator's node submits without a signature.
impl<LocalCall> frame_system::offchain::CreateTransactionBase<LocalCall> for Runtime
where
    RuntimeCall: From<LocalCall>,
{
    type Extrinsic = UncheckedExtrinsic;
    type RuntimeCall = RuntimeCall;
}

impl<LocalCall> frame_system::offchain::CreateBare<LocalCall> for Runtime
where
    RuntimeCall: From<LocalCall>,
{
    fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
        UncheckedExtrinsic::new_bare(call)
    }
}
