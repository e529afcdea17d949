//! What the pallet stores beside the shapes that everybody shares.

use crate::{Config, Error};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::DispatchError;
use virtengine_primitives::AgreementId;

/// Number of a job as a storage key whose byte order is the order of numbers: eight bytes, big-endian.
#[derive(
    Clone,
    Copy,
    Debug,
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
pub struct OrderedId(pub [u8; 8]);

impl From<AgreementId> for OrderedId {
    fn from(id: AgreementId) -> Self {
        Self(id.to_be_bytes())
    }
}

impl From<OrderedId> for AgreementId {
    fn from(id: OrderedId) -> Self {
        Self::from_be_bytes(id.0)
    }
}

/// Deposit for a cluster and its allow-list.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ClusterDeposit<AccountId, Ticket> {
    /// Who paid it and gets it back, even if the organisation has another owner by then.
    pub depositor: AccountId,
    /// The deposit.
    pub ticket: Ticket,
    /// Number of templates on the allow-list.
    pub templates: u32,
}

/// Why a candidate is not eligible, in the order of the checks: of several candidates, the one that came furthest
/// names the error, whatever the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// There is no such cluster.
    UnknownCluster,
    /// The cluster has no such partition.
    UnknownPartition,
    /// The cluster takes no new jobs.
    Draining,
    /// The provider may take no work.
    NotOperational,
    /// The job is larger or longer than the partition allows.
    DoesNotFit,
    /// Scripts are not taken.
    ScriptNotAllowed,
    /// The template is not on the allow-list.
    TemplateNotAllowed,
    /// The customer's score is too low.
    ScoreTooLow,
    /// The plan gives no quote.
    NoQuote,
    /// The plan quotes in another asset.
    WrongAsset,
    /// The quote is above the ceiling.
    CeilingBelowQuote,
    /// The provider cannot open the payload.
    PayloadNotReadable,
    /// The cluster has as many jobs as it takes.
    NoCapacity,
}

impl Refusal {
    /// The error that tells a customer what to do about it.
    pub fn error<T: Config>(self) -> DispatchError {
        match self {
            Self::UnknownCluster => Error::<T>::UnknownCluster,
            Self::UnknownPartition => Error::<T>::UnknownPartition,
            Self::Draining => Error::<T>::ClusterDraining,
            Self::NotOperational => Error::<T>::ProviderNotOperational,
            Self::DoesNotFit => Error::<T>::DoesNotFit,
            Self::ScriptNotAllowed => Error::<T>::ScriptNotAllowed,
            Self::TemplateNotAllowed => Error::<T>::TemplateNotAllowed,
            Self::ScoreTooLow => Error::<T>::ScoreTooLow,
            Self::NoQuote => Error::<T>::NoQuote,
            Self::WrongAsset => Error::<T>::WrongAsset,
            Self::CeilingBelowQuote => Error::<T>::CeilingBelowQuote,
            Self::PayloadNotReadable => Error::<T>::PayloadNotReadable,
            Self::NoCapacity => Error::<T>::NoCapacity,
        }
        .into()
    }
}
