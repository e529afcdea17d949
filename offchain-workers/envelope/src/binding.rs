//! Where an envelope belongs.

use codec::Encode;

/// Where an envelope belongs: one chain, one kind of secret, one item, one number. Its SCALE encoding is the additional
/// data of everything that is sealed, so an envelope cannot be moved to another place.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Binding {
    /// Hash of block 0 of the chain.
    pub genesis: [u8; 32],
    /// Pallet and kind of secret, as `hpc/payload`.
    pub domain: String,
    /// Bytes that name the item: an account, or a number as u64 little-endian.
    pub item: Vec<u8>,
    /// Which of the item's envelopes.
    pub number: u64,
}

impl Binding {
    /// Any binding. Prefer the constructors that name what is sealed.
    pub fn new(genesis: [u8; 32], domain: &str, item: &[u8], number: u64) -> Self {
        Self {
            genesis,
            domain: domain.into(),
            item: item.to_vec(),
            number,
        }
    }

    /// A job's payload: parameters and input keys, from a customer. The job has no number yet.
    pub fn payload(genesis: [u8; 32], customer: &[u8; 32]) -> Self {
        Self::new(genesis, "hpc/payload", customer, 0)
    }

    /// The `index`-th input of a customer's job.
    pub fn input(genesis: [u8; 32], customer: &[u8; 32], index: u64) -> Self {
        Self::new(genesis, "hpc/input", customer, index)
    }

    /// The result of a job.
    pub fn result(genesis: [u8; 32], job: u64) -> Self {
        Self::new(genesis, "hpc/result", &job.to_le_bytes(), 0)
    }

    /// The `chunk`-th piece of a job's log.
    pub fn log(genesis: [u8; 32], job: u64, chunk: u64) -> Self {
        Self::new(genesis, "hpc/log", &job.to_le_bytes(), chunk)
    }

    /// The accounting rows behind usage report `sequence` of an agreement.
    pub fn evidence(genesis: [u8; 32], agreement: u64, sequence: u64) -> Self {
        Self::new(
            genesis,
            "billing/evidence",
            &agreement.to_le_bytes(),
            sequence,
        )
    }

    /// A payer's grounds for disputing an agreement.
    pub fn grounds(genesis: [u8; 32], agreement: u64) -> Self {
        Self::new(genesis, "billing/grounds", &agreement.to_le_bytes(), 0)
    }

    /// The additional data: SCALE of (genesis, domain, item, number).
    pub fn aad(&self) -> Vec<u8> {
        self.encode()
    }
}
