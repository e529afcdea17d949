//! From what the scheduler accounted to the next usage report. Pure arithmetic on integers.
//!
//! Usage is what was allocated times the time it was allocated for, attempt by attempt, in UTC; never what the job
//! says of itself. Quantities are a function of the *total* time up to the end of the period, minus what the chain has
//! already, so that cutting time into many reports neither gains nor loses anything: fractions of a second are rounded
//! down once, in the customer's favour, not once a report.

use virtengine_primitives::{
    billing::{Agreement, AgreementState, Component, PricePlan, Quantities, UsageReport},
    calendar,
    hpc::Resources,
    Balance, Moment,
};

/// A stretch of time for which one task held its allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When the allocation began, unix milliseconds.
    pub from: Moment,
    /// When it was given back; `None` while it is held.
    pub until: Option<Moment>,
    /// Whether it counts: an attempt that a node or a preemption ended does not.
    pub billable: bool,
}

/// What a report says, before its evidence is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// See [`UsageReport::sequence`].
    pub sequence: u32,
    /// See [`UsageReport::from`].
    pub from: Moment,
    /// See [`UsageReport::until`].
    pub until: Moment,
    /// See [`UsageReport::quantities`].
    pub quantities: Quantities,
}

impl Due {
    /// The report, with its evidence.
    pub fn with_evidence(self, evidence: sp_core::H256) -> UsageReport {
        let Self {
            sequence,
            from,
            until,
            quantities,
        } = self;
        UsageReport {
            sequence,
            from,
            until,
            quantities,
            evidence,
        }
    }
}

/// Where metering of an agreement stands on the finalised chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Number of the last report.
    pub sequence: u32,
    /// No period may begin earlier: the first metered second, or the end of the last period.
    pub earliest: Moment,
    /// Milliseconds that all periods so far add up to.
    pub metered_ms: u64,
    /// Milliseconds that periods may still add up to.
    pub left_ms: u64,
    /// What has been reported.
    pub cumulative: Quantities,
}

impl Standing {
    /// From the chain's agreement; `None` if nothing can be reported (not started, or ended).
    pub fn of<AccountId>(agreement: &Agreement<AccountId>) -> Option<Self> {
        if agreement.state != AgreementState::Metering {
            return None;
        }
        let started = agreement.started_at?;
        Some(Self {
            sequence: agreement.sequence,
            earliest: started.max(agreement.metered_until),
            metered_ms: agreement.metered_ms,
            left_ms: agreement
                .allocation
                .walltime
                .saturating_mul(1000)
                .saturating_sub(agreement.metered_ms),
            cumulative: agreement.cumulative.clone(),
        })
    }
}

/// Milliseconds of task time within `[start, until)`.
fn task_ms(attempts: &[Attempt], start: Moment, until: Moment) -> u64 {
    attempts
        .iter()
        .filter(|a| a.billable)
        .map(|a| {
            a.until
                .unwrap_or(until)
                .min(until)
                .saturating_sub(a.from.max(start))
        })
        .fold(0, u64::saturating_add)
}

/// First stretch after `earliest` in which something was allocated without a gap, cut at `now`.
fn stretch(attempts: &[Attempt], earliest: Moment, now: Moment) -> Option<(Moment, Moment)> {
    let mut spans: Vec<(Moment, Moment)> = attempts
        .iter()
        .filter(|a| a.billable)
        .map(|a| (a.from.max(earliest), a.until.unwrap_or(now).min(now)))
        .filter(|(from, until)| from < until)
        .collect();
    spans.sort_unstable();
    let (from, mut until) = *spans.first()?;
    for (next, end) in spans {
        if next <= until {
            until = until.max(end);
        }
    }
    Some((from, until))
}

/// The next report, if one is due.
///
/// `started` is when the first attempt counts from (the chain's `started_at`), `resources` what one task was
/// allocated. The stretches of requeued attempts and the months of UTC get reports of their own, one at a time.
pub fn next(
    standing: &Standing,
    started: Moment,
    resources: &Resources,
    attempts: &[Attempt],
    now: Moment,
) -> Option<Due> {
    let mut earliest = standing.earliest;
    // A stretch whose usage is already on chain (or too short to count) is skipped, never reported as empty.
    loop {
        let (from, until) = stretch(attempts, earliest, now)?;
        let until = until
            .min(calendar::end_of(calendar::month_of(from)))
            .min(from.saturating_add(standing.left_ms));
        if until <= from {
            return None;
        }
        let quantities = used(standing, started, resources, attempts, from, until)?;
        if !quantities.is_empty() {
            let sequence = standing.sequence.checked_add(1)?;
            return Some(Due {
                sequence,
                from,
                until,
                quantities,
            });
        }
        if until >= now {
            return None;
        }
        earliest = until;
    }
}

fn used(
    standing: &Standing,
    started: Moment,
    resources: &Resources,
    attempts: &[Attempt],
    from: Moment,
    until: Moment,
) -> Option<Quantities> {
    let one_task = Resources {
        array_tasks: 1,
        ..*resources
    };
    let most = resources.per_second()?;
    // SLURM says whole seconds: an attempt that began in the second of the acceptance appears to have begun before it.
    // It counts as accounting has it; cutting the fraction off would cost the whole second.
    let since = started - started % 1000;
    let seconds = u128::from(task_ms(attempts, since, until) / 1000);
    let period_ms = until.saturating_sub(from);
    let period = u128::from(period_ms.div_ceil(1000));
    // The chain also bounds all reports together by all periods together; stretches too short to be reported are in
    // none of them.
    let all_periods = u128::from(standing.metered_ms.saturating_add(period_ms).div_ceil(1000));
    let reported = |component: Component| {
        standing
            .cumulative
            .iter()
            .find(|(c, _)| *c == component)
            .map_or(0, |(_, quantity)| *quantity)
    };
    let mut used = Vec::new();
    for (component, units) in one_task.per_second()? {
        let most = most
            .iter()
            .find(|(c, _)| *c == component)
            .map_or(0, |(_, units)| *units);
        let total = units
            .checked_mul(seconds)?
            .min(most.saturating_mul(all_periods));
        let quantity = total
            .saturating_sub(reported(component))
            .min(most.saturating_mul(period));
        if quantity > 0 {
            used.push((component, quantity));
        }
    }
    used.try_into().ok()
}

/// Seconds that the job may run without costing more than its ceiling: the time limit that the scheduler is given.
///
/// At most `walltime`; 0 if not even a second is left.
pub fn affordable_seconds(
    plan: &PricePlan,
    per_second: &Quantities,
    cumulative: &Quantities,
    ceiling: Balance,
    walltime: u64,
) -> u64 {
    let affordable = |seconds: u64| {
        let mut all: std::collections::BTreeMap<Component, u128> =
            cumulative.iter().copied().collect();
        for (component, units) in per_second {
            let Some(more) = units.checked_mul(seconds.into()) else {
                return false;
            };
            let sum = all.entry(*component).or_default();
            let Some(total) = sum.checked_add(more) else {
                return false;
            };
            *sum = total;
        }
        let all: Vec<_> = all.into_iter().collect();
        plan.price(&all).is_some_and(|price| price <= ceiling)
    };
    // The price never falls with time, so the longest affordable time is found by halving.
    let (mut low, mut high) = (0, walltime);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if affordable(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

#[cfg(test)]
#[path = "metering_tests.rs"]
mod tests;
