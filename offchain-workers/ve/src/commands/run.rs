//! `ve run`: buying a job.

use crate::{
    amounts::Amounts,
    cli::Run,
    commands::{
        inputs::{inputs, upload},
        jobs,
        offers::{asked, offers, Asked, Offer},
        readers,
    },
    context::Context,
    failure::{code, Failure, Result},
    library::Library,
    ui,
};
use serde_json::json;
use std::{
    collections::{btree_map::Entry, BTreeMap},
    path::PathBuf,
};
use ve_chain::{calls, dispute::in_turn, AccountId32, At};
use ve_envelope::{seal, Binding, PublicKey};
use ve_templates::{ContentKeyBytes, JobPayload, PayloadInput, TemplateRef};
use virtengine_primitives::{
    envelope::{EnvelopeHeader, MAX_RECIPIENTS},
    hpc::{InputRef, JobRequest, Workload, MAX_CANDIDATES},
    AssetKind, Balance, BlockNumber, ProviderId, TemplateHash,
};

/// The candidates to propose and who may read what is sealed for them.
struct Chosen {
    offers: Vec<Offer>,
    keys: BTreeMap<ProviderId, Vec<PublicKey>>,
}

impl Chosen {
    /// Encryption keys of everybody who may read the payload: the customer, and of the candidates' providers as many
    /// as there is room for. Nobody else: a provider that was not proposed learns nothing.
    fn recipients(&self, own: PublicKey) -> Vec<PublicKey> {
        let mut providers: Vec<ProviderId> = self.offers.iter().map(|o| o.provider).collect();
        providers.sort_unstable();
        providers.dedup();
        let of_each: Vec<_> = providers
            .iter()
            .filter_map(|p| self.keys.get(p).cloned())
            .collect();
        let mut to = vec![own];
        to.extend(in_turn(&of_each, MAX_RECIPIENTS as usize - 1));
        to
    }
}

/// The first of the offers whose providers have registered an encryption key, at most as many as the chain takes.
async fn choose(at: &At, offers: Vec<Offer>) -> Result<Chosen> {
    let mut chosen = Chosen {
        offers: Vec::new(),
        keys: BTreeMap::new(),
    };
    for offer in offers {
        if chosen.offers.len() >= MAX_CANDIDATES as usize {
            break;
        }
        if let Entry::Vacant(unread) = chosen.keys.entry(offer.provider) {
            unread.insert(readers::keys(at, offer.provider, MAX_RECIPIENTS as usize).await?);
        }
        if chosen
            .keys
            .get(&offer.provider)
            .is_some_and(|keys| !keys.is_empty())
        {
            chosen.offers.push(offer);
        }
    }
    if chosen.offers.is_empty() {
        return Err(Failure::new(
            code::REFUSED,
            "no candidate's provider has registered an encryption key, so nothing can be sealed to it",
            "choose another cluster, or ask the provider to register its worker's key",
        ));
    }
    Ok(chosen)
}

/// Blocks that a time takes, rounded up, by the runtime's own block time.
fn blocks(seconds: u64, block_ms: u64) -> BlockNumber {
    let blocks = seconds.saturating_mul(1000).div_ceil(block_ms.max(1));
    BlockNumber::try_from(blocks).unwrap_or(BlockNumber::MAX)
}

/// Fails unless the account has what would be held.
async fn ensure_funds(
    at: &At,
    account: &AccountId32,
    asset: AssetKind,
    (ceiling, cheapest): (Balance, Balance),
    amounts: &Amounts,
) -> Result {
    let free = at.asset_balance(asset, account).await?;
    if free >= ceiling {
        return Ok(());
    }
    Err(Failure::new(
        code::REFUSED,
        format!(
            "the account has {}, and {} would be held",
            amounts.text(free, asset),
            amounts.text(ceiling, asset)
        ),
        format!(
            "send it some more, or hold less with --max (the cheapest quote is {})",
            amounts.text(cheapest, asset)
        ),
    ))
}

/// Fails unless the account's registered keys open what is sealed to the key in use.
async fn ensure_readable(at: &At, account: &AccountId32, own: &PublicKey) -> Result {
    let keys = at.keys(account).await?;
    if keys.iter().any(|(_, k)| k.public == own.to_bytes()) {
        return Ok(());
    }
    Err(Failure::new(
        code::REFUSED,
        "your encryption key is not registered, so no result could be sealed to you",
        "register it with `ve key register`",
    ))
}

/// A job's sealed parts, uploaded.
struct Sealed {
    payload: EnvelopeHeader,
    inputs: Vec<InputRef>,
}

/// Seals and uploads inputs and payload.
async fn seal_job(
    context: &Context,
    genesis: [u8; 32],
    account: &AccountId32,
    asked: &Asked<'_>,
    files: &[(String, PathBuf, u64)],
    to: &[PublicKey],
) -> Result<Sealed> {
    let who: [u8; 32] = *account.as_ref();
    let artifacts = context.artifacts()?;
    let (mut references, mut described) = (Vec::new(), Vec::new());
    for (index, (name, path, length)) in (0u64..).zip(files) {
        let binding = Binding::input(genesis, &who, index);
        let (reference, key, plain_length) = upload(&artifacts, path, *length, &binding).await?;
        references.push(reference);
        described.push(PayloadInput {
            name: name.clone(),
            hash: reference.hash.0,
            length: reference.length,
            plain_length,
            key: ContentKeyBytes::new(*key.to_bytes()),
        });
    }
    let payload = JobPayload {
        version: JobPayload::VERSION,
        template: Some(TemplateRef {
            name: asked.template.name().into(),
            version: asked.template.version().into(),
        }),
        parameters: asked.parameters.as_map().clone(),
        script: None,
        inputs: described,
    };
    let plain = payload
        .to_bytes()
        .map_err(|e| Failure::usage(e.to_string(), "correct the parameters or inputs"))?;
    let (header, body) = seal(&plain, to, &Binding::payload(genesis, &who))?;
    artifacts.put_blob(body).await?;
    Ok(Sealed {
        payload: header,
        inputs: references,
    })
}

/// Buys a job.
pub async fn run(context: &Context, run: Run) -> Result {
    let library = Library::open(&context.config.templates)?;
    let asked = asked(&library, &run.work)?;
    if let (Some(max), AssetKind::Native) = (&run.max, asked.asset) {
        // Before anything else: what is paid in VE needs no chain to be understood.
        Amounts::default().parse("--max", max, AssetKind::Native)?;
    }
    let files = inputs(asked.template, &run.inputs)?;
    let at = context.chain().await?.at_finalized().await?;
    let amounts = Amounts::existing(&at, "--asset", asked.asset).await?;
    let max = run
        .max
        .as_ref()
        .map(|max| amounts.parse("--max", max, asked.asset));
    let max = max.transpose()?;
    let mut offers = offers(&at, &asked).await?;
    let cheapest = offers.first().map_or(0, |o| o.most);
    if let Some(max) = max {
        offers.retain(|o| o.most <= max);
        if offers.is_empty() {
            return Err(Failure::new(
                code::REFUSED,
                format!(
                    "--max: {} is below the cheapest quote, {}",
                    amounts.text(max, asked.asset),
                    amounts.text(cheapest, asked.asset)
                ),
                "raise --max, or ask for less time or fewer processors",
            ));
        }
    }
    // Free room first: the chain refuses a full cluster, and takes the cheapest of the rest.
    offers.sort_by_key(|o| (!o.has_room, o.most, o.cluster, o.partition));
    let chosen = choose(&at, offers).await?;
    let highest = chosen.offers.iter().map(|o| o.most).max();
    let ceiling = max.or(highest).unwrap_or(cheapest);
    let account = context.account()?;
    ensure_funds(&at, &account, asked.asset, (ceiling, cheapest), &amounts).await?;
    let secrets = context.secrets(None)?;
    let own = secrets.encryption.public();
    ensure_readable(&at, &account, &own).await?;

    let to = chosen.recipients(own);
    let genesis = at.chain().genesis().0;
    let sealed = seal_job(context, genesis, &account, &asked, &files, &to).await?;
    let request = request(&at, &asked, &run, &chosen.offers, sealed, ceiling).await?;
    // A refusal is better heard before a fee is paid.
    at.chain()
        .at_best()
        .await?
        .candidates(&account, &request)
        .await?;
    let submitter = context.submitter_of(at.chain(), secrets.signer.clone());
    let done = context
        .submit_with(&submitter, calls::hpc::submit(&request))
        .await?;
    let job = done
        .expect("Hpc", "JobSubmitted")?
        .integer("job")
        .unwrap_or_default();
    let job = u64::try_from(job).unwrap_or(u64::MAX);
    let assigned = done
        .find("Hpc", "JobAssigned")
        .and_then(|e| e.integer("cluster"));
    if context.json && !run.wait {
        ui::json(&json!({
            "job": job,
            "cluster": assigned,
            "ceiling": amounts.json(ceiling, asked.asset),
            "block": done.block,
        }));
        return Ok(());
    }
    ui::note(format!(
        "job {job} is bought: {} held, at most; cluster {}",
        amounts.text(ceiling, asked.asset),
        assigned.map_or("?".into(), |c| c.to_string())
    ));
    if run.wait {
        jobs::wait(context, job, None).await
    } else {
        crate::out!("{job}");
        ui::note(format!(
            "watch it with `ve wait {job}`, fetch the result with `ve get {job}`"
        ));
        Ok(())
    }
}

async fn request(
    at: &At,
    asked: &Asked<'_>,
    run: &Run,
    offers: &[Offer],
    sealed: Sealed,
    ceiling: Balance,
) -> Result<JobRequest> {
    let block_ms: u64 = at.constant("Hpc", "BlockDuration").await?;
    let (accept, cancel, life) = at.limits().await?;
    let start_within = blocks(run.start_within.as_secs(), block_ms);
    // Every candidate may take its time to accept and to start before the last one runs; then the result is collected.
    let each = u64::from(accept).saturating_add(start_within.into());
    let slack = u64::from(cancel).saturating_add(blocks(120, block_ms).into());
    let all = each
        .saturating_mul(offers.len() as u64)
        .saturating_add(blocks(asked.walltime, block_ms).into())
        .saturating_add(slack);
    let longest = u64::from(life).saturating_sub(16);
    let end_by = at
        .number()
        .saturating_add(u32::try_from(all.min(longest)).unwrap_or(u32::MAX));
    let hash: TemplateHash = asked.template.hash();
    Ok(JobRequest {
        candidates: offers
            .iter()
            .map(|o| (o.cluster, o.partition))
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| Failure::usage("too many candidates", "choose one with --cluster"))?,
        workload: Workload::Template(hash),
        payload: sealed.payload,
        inputs: sealed
            .inputs
            .try_into()
            .map_err(|_| Failure::usage("--in: too many inputs", "pack some of them together"))?,
        resources: asked.resources,
        walltime: asked.walltime,
        asset: asked.asset,
        ceiling,
        start_within,
        end_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_should_be_rounded_up() {
        assert_eq!(blocks(10, 1000), 10);
        assert_eq!(blocks(10, 6000), 2);
        assert_eq!(blocks(0, 6000), 0);
        assert_eq!(blocks(u64::MAX, 1), u32::MAX);
        assert_eq!(blocks(5, 0), 5000);
    }

    fn offer(cluster: u32, provider: ProviderId) -> Offer {
        Offer {
            cluster,
            provider,
            name: String::new(),
            partition: 0,
            partition_name: String::new(),
            most: 1,
            minimum: 0,
            predicted: None,
            has_room: true,
        }
    }

    #[test]
    fn payload_should_be_sealed_to_every_candidate_and_to_nobody_else_when_keys_abound() {
        let key = |n: u32| PublicKey::from_bytes([n as u8; 32]);
        let keys = |provider: u32, count: u32| {
            let keys = (0..count).map(|n| key(provider * 40 + n)).collect();
            (provider, keys)
        };
        let chosen = Chosen {
            offers: vec![offer(1, 1), offer(2, 2), offer(3, 1), offer(4, 3)],
            keys: BTreeMap::from([keys(1, 40), keys(2, 1), keys(3, 2), keys(4, 5)]),
        };
        let own = key(0);
        let to = chosen.recipients(own);
        assert_eq!(to.len(), MAX_RECIPIENTS as usize);
        assert_eq!(to[0], own);
        for expected in [40, 80, 120, 121] {
            assert!(to.contains(&key(expected)), "{expected}");
        }
        assert!(!to.contains(&key(160)), "provider 4 is no candidate");
    }
}
