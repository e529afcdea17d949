//! Buckets of what falls due when, emptied with the weight that a block has left.

use crate::{Config, Cursor, Deadlines, Pallet, WeightInfo as _};
use alloc::vec::Vec;
use frame_support::weights::WeightMeter;
use virtengine_primitives::{AgreementId, BlockNumber};

impl<T: Config> Pallet<T> {
    /// Sees to it that an agreement is touched at block `at`, or as soon as possible if that has passed.
    pub(crate) fn schedule(at: BlockNumber, id: AgreementId) {
        let cursor = Cursor::<T>::get().unwrap_or_else(|| {
            let now = Self::now_block();
            Cursor::<T>::put(now);
            now
        });
        Deadlines::<T>::insert(at.max(cursor), id, ());
    }

    /// Touches the agreements of every bucket up to now, as far as the weight goes; the rest waits for the next
    /// block.
    pub(crate) fn drain_deadlines(meter: &mut WeightMeter) {
        let (bucket, each) = (T::WeightInfo::poll_bucket(), Self::settle_weight());
        if meter.try_consume(bucket).is_err() {
            return;
        }
        let now = Self::now_block();
        let first = Cursor::<T>::get();
        let mut cursor = first.unwrap_or(now);
        while cursor <= now && meter.try_consume(bucket).is_ok() {
            // One more than can be done, to see whether the bucket is empty afterwards.
            let affordable = meter
                .remaining()
                .checked_div_per_component(&each)
                .unwrap_or(0);
            let affordable = usize::try_from(affordable).unwrap_or(usize::MAX);
            let due: Vec<AgreementId> = Deadlines::<T>::iter_key_prefix(cursor)
                .take(affordable.saturating_add(1))
                .collect();
            for id in due.iter().take(affordable) {
                let _ = meter.try_consume(each);
                Deadlines::<T>::remove(cursor, id);
                if let Err(error) = Self::do_settle(*id) {
                    log::error!(target: "runtime::billing", "agreement {id} could not be settled: {error:?}");
                }
            }
            if due.len() > affordable {
                break;
            }
            cursor = cursor.saturating_add(1);
        }
        if first != Some(cursor) {
            Cursor::<T>::put(cursor);
        }
    }
}
