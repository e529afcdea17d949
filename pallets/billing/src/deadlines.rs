//! Buckets of what falls due when, emptied with the weight that a block has left.

use crate::{Config, Cursor, Deadlines, Pallet, WeightInfo as _};
use alloc::vec::Vec;
use frame_support::{traits::Get, weights::WeightMeter};
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

    /// Touches the agreements of every bucket up to now, with at most half of what `meter` has left, so that no crowd
    /// of deadlines keeps everybody else out of a block. The rest waits for the next one.
    pub(crate) fn drain_deadlines(meter: &mut WeightMeter) {
        let mut share = WeightMeter::with_limit(meter.remaining().div(2));
        Self::drain(&mut share);
        meter.consume(share.consumed());
    }

    fn drain(meter: &mut WeightMeter) {
        let bucket = T::WeightInfo::poll_bucket();
        // A settlement, and its entry found in the bucket and taken off it.
        let entry = <T as frame_system::Config>::DbWeight::get().reads_writes(1, 1);
        let each = Self::settle_weight().saturating_add(entry);
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
