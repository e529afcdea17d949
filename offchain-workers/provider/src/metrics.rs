//! What the role counts. Every series exists, at zero, before the first connection is made.

use crate::{local::LocalJob, policy::Outside, reconcile::Action};
use prometheus::{
    exponential_buckets, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry,
};

/// The calls that the role makes.
pub const CALLS: [&str; 6] = [
    "accept",
    "decline",
    "update",
    "report",
    "complete",
    "open-evidence",
];

/// Counters and gauges of the provider role.
#[derive(Clone)]
pub struct Metrics {
    /// Jobs that the worker has a record of, by phase.
    pub jobs: IntGaugeVec,
    /// Height of the finalised block that was last acted on.
    pub finalized_block: IntGauge,
    /// Seconds between that block's time and the worker's clock.
    pub chain_lag: IntGauge,
    /// Items in calls that the chain executed, by call.
    pub calls_submitted: IntCounterVec,
    /// Items in calls that failed or were refused, by call.
    pub calls_failed: IntCounterVec,
    /// Usage reports on chain.
    pub usage_reports: IntCounter,
    /// Steps and questions that failed because somebody did not answer, by whom.
    pub unanswered: IntCounterVec,
    /// Seconds of one step of one job, by step.
    pub step_seconds: HistogramVec,
    /// Seconds from the first sight of a job until its scheduler has it.
    pub hand_over_seconds: Histogram,
    /// Seconds of one reconciliation of all jobs.
    pub reconcile_seconds: Histogram,
    /// Whether the last reconciliation could read everything it needed.
    pub healthy: IntGauge,
}

impl Metrics {
    /// Registers everything, at zero.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(format!("virtengine_provider_{name}"), help);
        let metrics = Self {
            jobs: IntGaugeVec::new(
                opts("jobs", "Jobs with a local record, by phase"),
                &["phase"],
            )?,
            finalized_block: IntGauge::with_opts(opts(
                "finalized_block",
                "Finalised block last acted on",
            ))?,
            chain_lag: IntGauge::with_opts(opts("chain_lag_seconds", "Age of that block"))?,
            calls_submitted: IntCounterVec::new(
                opts("calls_total", "Items in executed calls"),
                &["call"],
            )?,
            calls_failed: IntCounterVec::new(
                opts("calls_failed_total", "Items that failed"),
                &["call"],
            )?,
            usage_reports: IntCounter::with_opts(opts(
                "usage_reports_total",
                "Usage reports on chain",
            ))?,
            unanswered: IntCounterVec::new(
                opts(
                    "unanswered_total",
                    "Steps and questions that failed because somebody did not answer",
                ),
                &["who"],
            )?,
            step_seconds: HistogramVec::new(
                HistogramOpts::new(
                    "virtengine_provider_step_seconds",
                    "Duration of one step of one job",
                ),
                &["step"],
            )?,
            hand_over_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "virtengine_provider_hand_over_seconds",
                    "From the first sight of a job until its scheduler has it",
                )
                // Half a second to a quarter of an hour.
                .buckets(exponential_buckets(0.5, 2.0, 12)?),
            )?,
            reconcile_seconds: Histogram::with_opts(HistogramOpts::new(
                "virtengine_provider_reconcile_seconds",
                "Duration of one reconciliation",
            ))?,
            healthy: IntGauge::with_opts(opts(
                "healthy",
                "1 if the last reconciliation read everything",
            ))?,
        };
        registry.register(Box::new(metrics.jobs.clone()))?;
        registry.register(Box::new(metrics.finalized_block.clone()))?;
        registry.register(Box::new(metrics.chain_lag.clone()))?;
        registry.register(Box::new(metrics.calls_submitted.clone()))?;
        registry.register(Box::new(metrics.calls_failed.clone()))?;
        registry.register(Box::new(metrics.usage_reports.clone()))?;
        registry.register(Box::new(metrics.unanswered.clone()))?;
        registry.register(Box::new(metrics.step_seconds.clone()))?;
        registry.register(Box::new(metrics.hand_over_seconds.clone()))?;
        registry.register(Box::new(metrics.reconcile_seconds.clone()))?;
        registry.register(Box::new(metrics.healthy.clone()))?;
        for phase in LocalJob::PHASES {
            metrics.jobs.with_label_values(&[phase]).set(0);
        }
        for call in CALLS {
            metrics.calls_submitted.with_label_values(&[call]).reset();
            metrics.calls_failed.with_label_values(&[call]).reset();
        }
        for step in Action::STEPS {
            metrics.step_seconds.with_label_values(&[step]);
        }
        for outside in Outside::ALL {
            metrics
                .unanswered
                .with_label_values(&[outside.name()])
                .reset();
        }
        Ok(metrics)
    }
}
