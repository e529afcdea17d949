//! What a job needs, and what it will take.

use crate::{Bounds, ParameterError, ParameterErrors, Parameters, Template};
use virtengine_primitives::hpc::Resources;

/// What a customer asks for; what is `None` comes from the template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Nodes.
    pub nodes: Option<u32>,
    /// Processors over all nodes.
    pub cpus: Option<u32>,
    /// Memory in MiB over all nodes.
    pub memory_mib: Option<u64>,
    /// Accelerators.
    pub gpus: Option<u32>,
    /// The provider's number for the kind of accelerator.
    pub gpu_type: u8,
    /// Wall time in seconds.
    pub walltime: Option<u64>,
}

/// Resources and wall time within the template's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Resources of one task.
    pub resources: Resources,
    /// Wall time in seconds.
    pub walltime: u64,
}

/// What a job will take, if the template's cost model is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// Wall time of one task in seconds, rounded up.
    pub seconds: u64,
    /// Processor seconds over all tasks.
    pub cpu_seconds: u64,
    /// A time limit that leaves room for a slower machine, within the template's bounds.
    pub walltime: u64,
}

impl Template {
    /// Number of array tasks that the parameters ask for; 1 for a plain job.
    pub fn tasks(&self, parameters: &Parameters) -> u32 {
        let Some(tasks) = &self.manifest().resources.tasks else {
            return 1;
        };
        let asked = parameters
            .get(&tasks.parameter)
            .and_then(|v| v.as_u64())
            .unwrap_or(tasks.min);
        u32::try_from(asked).unwrap_or(u32::MAX)
    }

    /// Fills in what was not asked for and checks all against the bounds.
    pub fn resources(
        &self,
        parameters: &Parameters,
        wanted: &Wanted,
    ) -> Result<Need, ParameterErrors> {
        let bounds = &self.manifest().resources;
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let resources = Resources {
            nodes: wanted.nodes.unwrap_or(small(bounds.nodes.default)),
            cpus: wanted.cpus.unwrap_or(small(bounds.cpus.default)),
            memory_mib: wanted.memory_mib.unwrap_or(bounds.memory_mib.default),
            gpus: wanted.gpus.unwrap_or(small(bounds.gpus.default)),
            gpu_type: wanted.gpu_type,
            array_tasks: self.tasks(parameters),
        };
        let predicted = self
            .predict(parameters, &resources)
            .walltime
            .max(bounds.walltime_s.default);
        let need = Need {
            resources,
            walltime: wanted.walltime.unwrap_or(predicted),
        };
        self.check_resources(parameters, &need.resources, need.walltime)?;
        Ok(need)
    }

    /// Checks resources and wall time against the bounds. The provider does this with what the chain says.
    pub fn check_resources(
        &self,
        parameters: &Parameters,
        resources: &Resources,
        walltime: u64,
    ) -> Result<(), ParameterErrors> {
        let bounds = &self.manifest().resources;
        let mut errors = Vec::new();
        let mut check = |field: &str, value: u64, bounds: &Bounds, unit: &str| {
            if !(bounds.min..=bounds.max).contains(&value) {
                let range = match bounds.min == bounds.max {
                    true => format!("give {}{unit}", bounds.min),
                    false => format!("give {} to {}{unit}", bounds.min, bounds.max),
                };
                let message = format!("{value}{unit} is outside what {} takes", self.name());
                errors.push(ParameterError::new(field, message, range));
            }
        };
        check("nodes", resources.nodes.into(), &bounds.nodes, "");
        check("cpus", resources.cpus.into(), &bounds.cpus, "");
        check("memory", resources.memory_mib, &bounds.memory_mib, " MiB");
        check("gpus", resources.gpus.into(), &bounds.gpus, "");
        check("walltime", walltime, &bounds.walltime_s, " s");
        if let Some(tasks) = &bounds.tasks {
            let range = Bounds {
                min: tasks.min,
                max: tasks.max,
                default: tasks.min,
            };
            check(
                &tasks.parameter,
                self.tasks(parameters).into(),
                &range,
                " tasks",
            );
        }
        if resources.cpus < resources.nodes {
            errors.push(ParameterError::new(
                "cpus",
                "fewer processors than nodes",
                "give at least one to each node",
            ));
        }
        let tasks = self.tasks(parameters);
        if resources.array_tasks != tasks {
            let message = format!(
                "{} array tasks, but the parameters make {tasks}",
                resources.array_tasks
            );
            errors.push(ParameterError::new(
                "array_tasks",
                message,
                format!("submit the job with {tasks} tasks"),
            ));
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(ParameterErrors(errors)),
        }
    }

    /// What a job of these parameters will take, by the template's cost model; resources count as given.
    pub fn predict(&self, parameters: &Parameters, resources: &Resources) -> Prediction {
        let cost = &self.manifest().cost;
        let number = |name: &String| parameters.number(name).unwrap_or(1.0);
        let work: f64 = cost
            .terms
            .iter()
            .map(|t| {
                let product: f64 = t.factors.iter().map(number).product();
                let divisor: f64 = t
                    .divisors
                    .iter()
                    .map(|name| number(name).max(1.0))
                    .product();
                t.seconds * product / divisor
            })
            .sum();
        let cpus = f64::from(resources.cpus.max(1));
        let seconds =
            (cost.base_s + work * ((1.0 - cost.parallel) + cost.parallel / cpus)).max(0.0);
        let limits = &self.manifest().resources.walltime_s;
        // `as` saturates and maps NaN to 0: an absurd model gives an absurd number, not a crash.
        Prediction {
            seconds: seconds.ceil() as u64,
            cpu_seconds: (seconds * cpus * f64::from(resources.array_tasks)).ceil() as u64,
            walltime: ((seconds * cost.margin + 30.0).ceil() as u64)
                .clamp(limits.min, limits.max.max(limits.min)),
        }
    }
}
