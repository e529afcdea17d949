//! Whether an assigned job can run here.

use crate::{
    context::Step,
    identities::LeaseError,
    library::{Prepared, Unusable},
    local::{Admission, LocalJob, Room},
    policy::{Outside, StepError},
    records::Claim,
};
use ve_envelope::{open, Binding};
use virtengine_primitives::hpc::DeclineReason;

/// Longest payload that is read: parameters and a script, not data.
const MAX_PAYLOAD: u64 = 4 << 20;

/// What came of reading a payload.
enum Payload {
    /// Read, and fit to run.
    Ready(Box<Prepared>),
    /// Not (yet) in the artifact store.
    Missing,
    /// It can never be run here.
    Refused(DeclineReason, String),
}

impl Step<'_> {
    /// Checks everything that can be checked before the acceptance, and records the answer.
    pub(crate) async fn admit(&self, local: &mut LocalJob) -> Result<(), StepError> {
        let prepared = match self.check_room().await? {
            Some(reason) => Err(reason),
            None => match self.read_payload().await? {
                Payload::Ready(prepared) => Ok(prepared),
                Payload::Refused(reason, _) => Err(reason),
                // It may still be on its way; if it never comes, the acceptance time runs out and costs nothing.
                Payload::Missing => return Err(missing()),
            },
        };
        // Who has no room takes no member. A lease may have to wait for one to be cleared: meanwhile the room is others'.
        let fits = prepared.and_then(|it| self.claim_room(&it).map(|_| it));
        let answer = match fits {
            Ok(prepared) => self.lease(local).await?.map(|()| prepared),
            Err(reason) => Err(reason),
        };
        let no_inputs = answer.as_ref().is_ok_and(|it| it.inputs.is_empty());
        // Held until the room is recorded.
        let answer = answer.and_then(|prepared| self.claim_room(&prepared));
        local.admission = Some(match &answer {
            Ok((room, _)) => {
                local.room = Some(room.clone());
                local.staged = no_inputs;
                Admission::Accept
            }
            Err(reason) => {
                (local.room, local.identity) = (None, None);
                // Why may quote the payload, which is the customer's.
                tracing::info!(job = self.id, ?reason, "declined");
                Admission::Decline(*reason)
            }
        });
        self.context.records.put(local).await?;
        if local.identity.is_some() {
            self.context.passed("identity-leased");
        }
        self.context.passed("admitted");
        Ok(())
    }

    /// Claims room for the job's files out of what its customer may take on this cluster, if that has a limit.
    fn claim_room(&self, prepared: &Prepared) -> Result<(Room, Option<Claim>), DeclineReason> {
        let context = self.context;
        let inputs = prepared.inputs.iter().map(|input| input.plain_length);
        let bytes = inputs.fold(prepared.outputs.max_bytes, u64::saturating_add);
        let customer = *self.job.customer.as_ref();
        let room = Room { customer, bytes };
        let Some(quota) = context.settings.customer_quota else {
            return Ok((room, None));
        };
        match context
            .records
            .claim(self.cluster.id, self.id, &room, quota)
        {
            Ok(claim) => Ok((room, Some(claim))),
            Err(taken) => {
                tracing::info!(
                    job = self.id,
                    bytes,
                    taken,
                    quota,
                    "the customer's jobs would take more disk than provider.customer_quota_mib"
                );
                Err(DeclineReason::NoCapacity)
            }
        }
    }

    /// What is accepted must have somebody to run as. While every member of the pool is somebody else's, another cluster
    /// does better.
    async fn lease(&self, local: &mut LocalJob) -> Result<Result<(), DeclineReason>, StepError> {
        let Some(identities) = self.context.identities.get(&self.cluster.id) else {
            return Ok(Ok(()));
        };
        match identities.lease(&self.job.customer, self.id, true).await {
            Ok(member) => {
                local.identity = Some(member.user);
                Ok(Ok(()))
            }
            Err(error @ LeaseError::Exhausted { .. }) => {
                tracing::error!(job = self.id, %error, "no identity for the customer");
                Ok(Err(DeclineReason::NoCapacity))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Why the job cannot be taken whatever it runs.
    async fn check_room(&self) -> Result<Option<DeclineReason>, StepError> {
        let request = &self.job.request;
        let cluster = self.snapshot.cluster(self.cluster.id).await;
        let Some(cluster) = cluster.map_err(StepError::unanswered(Outside::Chain))? else {
            // It is not registered any more.
            return Ok(Some(DeclineReason::Maintenance));
        };
        let partition = cluster
            .spec
            .partitions
            .get(usize::from(self.job.assignment.partition));
        if !partition.is_some_and(|p| p.fits(&request.resources, request.walltime)) {
            return Ok(Some(DeclineReason::NoCapacity));
        }
        if self.snapshot.number() >= self.job.start_by {
            return Ok(Some(DeclineReason::TooLittleTime));
        }
        Ok(None)
    }

    async fn read_payload(&self) -> Result<Payload, StepError> {
        let context = self.context;
        let request = &self.job.request;
        if request.payload.length > MAX_PAYLOAD {
            let why = format!("the payload is longer than {MAX_PAYLOAD} bytes");
            return Ok(Payload::Refused(DeclineReason::UnreadablePayload, why));
        }
        let Some(body) = context.artifacts.body(&request.payload).await? else {
            return Ok(Payload::Missing);
        };
        let customer: &[u8; 32] = self.job.customer.as_ref();
        let binding = Binding::payload(context.chain.genesis().0, customer);
        let plaintext = match open(&request.payload, &body, &context.secret, &binding) {
            Ok(plaintext) => plaintext,
            Err(error) => {
                return Ok(Payload::Refused(
                    DeclineReason::UnreadablePayload,
                    error.to_string(),
                ));
            }
        };
        match context
            .library
            .prepare(request, &plaintext, self.cluster.custom_scripts)
        {
            Ok(prepared) => Ok(Payload::Ready(Box::new(prepared))),
            Err(Unusable {
                not_allowed: true,
                why,
            }) => Ok(Payload::Refused(DeclineReason::NotAllowed, why)),
            Err(Unusable { why, .. }) => {
                Ok(Payload::Refused(DeclineReason::UnreadablePayload, why))
            }
        }
    }

    /// What the job runs, of an accepted job: read again whenever it is needed, because nothing of it is recorded.
    pub(crate) async fn prepared(&self) -> Result<Prepared, StepError> {
        match self.read_payload().await? {
            Payload::Ready(prepared) => Ok(*prepared),
            Payload::Missing => Err(missing()),
            Payload::Refused(_, why) => Err(StepError::bad_input(why)),
        }
    }
}

fn missing() -> StepError {
    let reason =
        "the payload is not there (yet): upload it to the store that the provider reads".into();
    StepError::Unanswered {
        outside: Outside::Artifacts,
        reason,
    }
}
