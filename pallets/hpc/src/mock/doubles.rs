//! Doubles of the other pallets, in a few lines each, that move real balances.

use super::*;

/// All the other pallets.
pub struct Double;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Organisation {
    pub owner: AccountId,
    pub workers: Vec<AccountId>,
    pub free: Balance,
    pub operational: bool,
    pub live: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Plan {
    pub provider: ProviderId,
    pub asset: AssetKind,
    /// Price of a processor for a second.
    pub price: Balance,
    pub minimum: Balance,
    pub retired: bool,
    pub pins: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Paid {
    pub payer: AccountId,
    pub provider: ProviderId,
    pub plan: PlanId,
    pub allocation: Allocation,
    pub started_at: Option<Moment>,
    pub available: Balance,
    pub pending: Balance,
    pub ended: Option<Fault>,
}

#[storage_alias(verbatim)]
pub type Organisations = StorageMap<Double, Twox64Concat, ProviderId, Organisation>;
#[storage_alias(verbatim)]
pub type Locks =
    StorageDoubleMap<Double, Twox64Concat, ProviderId, Twox64Concat, AgreementId, Balance>;
#[storage_alias(verbatim)]
pub type Plans = StorageMap<Double, Twox64Concat, PlanId, Plan>;
#[storage_alias(verbatim)]
pub type Agreements = StorageMap<Double, Twox64Concat, AgreementId, Paid>;
#[storage_alias(verbatim)]
pub type Revoked = StorageMap<Double, Twox64Concat, KeyId, ()>;
#[storage_alias(verbatim)]
pub type Suspended = StorageMap<Double, Twox64Concat, AccountId, ()>;
#[storage_alias(verbatim)]
pub type Scores = StorageMap<Double, Twox64Concat, AccountId, u8>;

impl IdentityScore<AccountId> for Double {
    fn score(who: &AccountId) -> u8 {
        Scores::get(who).unwrap_or_default()
    }
}

impl AccountStanding<AccountId> for Double {
    fn ensure_active(who: &AccountId) -> DispatchResult {
        ensure!(!Suspended::contains_key(who), "suspended");
        Ok(())
    }
    fn has_role(_: &AccountId, _: Role) -> bool {
        false
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_grant(who: &AccountId, _: Role) {
        Suspended::remove(who);
    }
}

/// The key that an account registered.
pub fn key_of(who: AccountId) -> KeyId {
    let mut key = KeyId::default();
    key[..8].copy_from_slice(&who.to_le_bytes());
    key[8..].copy_from_slice(&who.to_le_bytes());
    key
}

/// A header sealed to the given accounts.
pub fn sealed_to(who: &[AccountId]) -> EnvelopeHeader {
    let mut keys: Vec<_> = who.iter().map(|who| key_of(*who)).collect();
    keys.sort();
    keys.dedup();
    let recipients: Vec<_> = keys
        .into_iter()
        .map(|key| Recipient {
            key,
            encapsulated: [7; 32],
            wrapped: vec![7; 48].try_into().unwrap(),
        })
        .collect();
    EnvelopeHeader {
        version: 1,
        algorithm: Algorithm::X25519Aes256Gcm,
        recipients: recipients.try_into().unwrap(),
        hash: Default::default(),
        length: 1,
    }
}

impl EnvelopePolicy<AccountId> for Double {
    fn ensure_sealed_to(header: &EnvelopeHeader, required: &[AccountId]) -> DispatchResult {
        let able = Self::who_can_open(header)?;
        ensure!(
            required.iter().all(|who| able.contains(who)),
            "not a recipient"
        );
        Ok(())
    }
    fn who_can_open(header: &EnvelopeHeader) -> Result<Vec<AccountId>, DispatchError> {
        ensure!(header.is_well_formed(), "malformed envelope");
        let unrevoked = header
            .recipients
            .iter()
            .filter(|r| !Revoked::contains_key(r.key));
        Ok(unrevoked
            .map(|r| u64::from_le_bytes(r.key[..8].try_into().unwrap()))
            .collect())
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_header(required: &[AccountId]) -> EnvelopeHeader {
        let padding = (0..32 - required.len() as u64).map(|n| 1 << 40 | n);
        sealed_to(&required.iter().copied().chain(padding).collect::<Vec<_>>())
    }
}

pub fn pay(from: AccountId, to: AccountId, amount: Balance) -> DispatchResult {
    <Balances as Mutate<_>>::transfer(&from, &to, amount, Expendable).map(|_| ())
}

impl ProviderRegistry<AccountId> for Double {
    fn owned_by(who: &AccountId) -> Option<ProviderId> {
        Organisations::iter().find_map(|(id, o)| (o.owner == *who).then_some(id))
    }
    fn worker_of(who: &AccountId) -> Option<ProviderId> {
        Organisations::iter().find_map(|(id, o)| o.workers.contains(who).then_some(id))
    }
    fn owner(provider: ProviderId) -> Option<AccountId> {
        Organisations::get(provider).map(|o| o.owner)
    }
    fn readers(provider: ProviderId) -> Vec<AccountId> {
        Organisations::get(provider)
            .map_or(vec![], |o| [o.owner].into_iter().chain(o.workers).collect())
    }
    fn payout(provider: ProviderId) -> Option<AccountId> {
        Self::owner(provider)
    }
    fn is_operational(provider: ProviderId) -> bool {
        Organisations::get(provider).is_some_and(|o| o.operational)
    }
    fn agreement_opened(provider: ProviderId) -> DispatchResult {
        Organisations::mutate_extant(provider, |o| o.live += 1);
        Ok(())
    }
    fn agreement_closed(provider: ProviderId) {
        Organisations::mutate_extant(provider, |o| o.live -= 1);
    }
    fn lock_bond(provider: ProviderId, agreement: AgreementId, amount: Balance) -> DispatchResult {
        ensure!(!Locks::contains_key(provider, agreement), "bonded already");
        Organisations::try_mutate(provider, |slot| -> DispatchResult {
            let o = slot.as_mut().ok_or("unknown provider")?;
            o.free = o.free.checked_sub(amount).ok_or("bond too small")?;
            Ok(())
        })?;
        Locks::insert(provider, agreement, amount);
        Ok(())
    }
    fn unlock_bond(provider: ProviderId, agreement: AgreementId) {
        if let Some(amount) = Locks::take(provider, agreement) {
            Organisations::mutate_extant(provider, |o| o.free += amount);
        }
    }
    fn slash_bond(
        provider: ProviderId,
        agreement: AgreementId,
        share: Perbill,
        beneficiary: &AccountId,
    ) -> Balance {
        let Some(locked) = Locks::take(provider, agreement) else {
            return 0;
        };
        let amount = share * locked;
        Organisations::mutate_extant(provider, |o| o.free += locked - amount);
        pay(BONDS, *beneficiary, amount).unwrap();
        amount
    }
    fn pay_from_bond(_: ProviderId, _: Balance, _: &AccountId) -> DispatchResult {
        Err(DispatchError::Other("no credit notes here"))
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_register(owner: &AccountId, worker: &AccountId) -> ProviderId {
        let id = Organisations::iter_keys().max().unwrap_or_default() + 1;
        Balances::set_balance(owner, ENDOWMENT);
        organise(id, *owner, *worker);
        // Enough for a batch of acceptances.
        <Balances as Mutate<_>>::mint_into(&BONDS, 99 * BOND).unwrap();
        Organisations::mutate_extant(id, |o| o.free += 99 * BOND);
        id
    }
}

pub fn organise(id: ProviderId, owner: AccountId, worker: AccountId) {
    <Balances as Mutate<_>>::mint_into(&BONDS, BOND).unwrap();
    Organisations::insert(
        id,
        Organisation {
            owner,
            workers: vec![worker, worker + 100],
            free: BOND,
            operational: true,
            live: 0,
        },
    );
}

fn unpin(plan: PlanId) {
    Plans::mutate_extant(plan, |p| p.pins = p.pins.checked_sub(1).expect("pinned"));
}

impl Billing<AccountId> for Double {
    fn quote(
        plan: PlanId,
        provider: ProviderId,
        allocation: &Allocation,
    ) -> Option<(AssetKind, Balance)> {
        let plan = Plans::get(plan).filter(|p| p.provider == provider && !p.retired)?;
        let most = allocation.most()?;
        let (_, cpu) = most.iter().find(|(c, _)| *c == Component::CpuSeconds)?;
        Some((plan.asset, cpu.checked_mul(plan.price)?.max(plan.minimum)))
    }
    fn pin_plan(plan: PlanId) -> DispatchResult {
        ensure!(Plans::contains_key(plan), "unknown plan");
        Plans::mutate_extant(plan, |p| p.pins += 1);
        Ok(())
    }
    fn unpin_plan(plan: PlanId) {
        unpin(plan)
    }
    fn open(
        agreement: AgreementId,
        payer: &AccountId,
        provider: ProviderId,
        plan: PlanId,
        ceiling: Balance,
        allocation: Allocation,
    ) -> DispatchResult {
        ensure!(!Agreements::contains_key(agreement), "open already");
        pay(*payer, ESCROW, ceiling)?;
        Self::pin_plan(plan)?;
        Self::agreement_opened(provider)?;
        Agreements::insert(
            agreement,
            Paid {
                payer: *payer,
                provider,
                plan,
                allocation,
                started_at: None,
                available: ceiling,
                pending: 0,
                ended: None,
            },
        );
        Ok(())
    }
    fn reassign(agreement: AgreementId, provider: ProviderId, plan: PlanId) -> DispatchResult {
        Agreements::try_mutate(agreement, |slot| {
            let a = slot.as_mut().ok_or("unknown agreement")?;
            ensure!(a.started_at.is_none() && a.ended.is_none(), "too late");
            Self::pin_plan(plan)?;
            unpin(a.plan);
            Self::agreement_opened(provider)?;
            Self::agreement_closed(a.provider);
            (a.provider, a.plan) = (provider, plan);
            Ok(())
        })
    }
    fn start(agreement: AgreementId, at: Moment) -> DispatchResult {
        Agreements::try_mutate(agreement, |slot| {
            let a = slot.as_mut().ok_or("unknown agreement")?;
            ensure!(a.ended.is_none(), "ended");
            a.started_at = a.started_at.or(Some(at));
            Ok(())
        })
    }
    fn report(_: AgreementId, _: &UsageReport) -> DispatchResult {
        Err(DispatchError::Other("see `meter`"))
    }
    fn end(agreement: AgreementId, fault: Fault) {
        Agreements::mutate_extant(agreement, |a| {
            assert!(a.ended.is_none(), "ended once");
            let plan = Plans::get(a.plan).unwrap();
            let minimum = match fault {
                Fault::Payer if a.started_at.is_some() => plan.minimum,
                _ => 0,
            };
            let total = a.available + a.pending;
            a.pending = match fault {
                Fault::Provider => 0,
                _ => a.pending.max(minimum).min(total),
            };
            pay(ESCROW, a.payer, total - a.pending).unwrap();
            a.available = 0;
            a.ended = Some(fault);
            unpin(a.plan);
        });
    }
    fn take_back_weight() -> Weight {
        TAKE_BACK
    }
    fn is_gone(agreement: AgreementId) -> bool {
        !Agreements::contains_key(agreement)
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_asset() -> AssetKind {
        AssetKind::Native
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_plan(provider: ProviderId) -> PlanId {
        let id = Plans::iter_keys().max().unwrap_or_default() + 1;
        publish(id, provider, AssetKind::Native, 1);
        id
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_endow(who: &AccountId, amount: Balance) {
        <Balances as Mutate<_>>::mint_into(who, amount + ENDOWMENT).unwrap();
    }
}
