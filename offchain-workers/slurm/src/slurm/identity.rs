//! Whose work it is.

/// Where a job is run and charged in the cluster. Comes from the provider's identity map, never from a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// SLURM account that is charged; `None`: the user's default.
    pub account: Option<String>,
    /// Quality of service; `None`: the association's default.
    pub qos: Option<String>,
}
