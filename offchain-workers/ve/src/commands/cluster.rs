//! A provider's clusters.

use crate::{
    cli::Cluster as ClusterCommand,
    commands::{clusters, key::name_of, provider::provider_id},
    config::toml_failure,
    context::{read_text, Context},
    failure::{Failure, Result},
    library::Library,
    ui, units,
};
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use ve_chain::calls;
use virtengine_primitives::{
    hpc::{ClusterSpec, ClusterState, Partition},
    ClusterId,
};

/// A cluster's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterFile {
    name: String,
    /// Most jobs at once.
    max_open_jobs: u32,
    /// Least identity score of a customer.
    #[serde(default)]
    min_score: u8,
    /// Whether scripts outside the allow-list are taken.
    #[serde(default)]
    custom_scripts: bool,
    /// Templates to allow at once when the cluster is registered.
    #[serde(default)]
    templates: Vec<String>,
    partitions: Vec<PartitionFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionFile {
    name: String,
    nodes: u32,
    cpus_per_node: u32,
    /// `4GiB`.
    memory_per_node: String,
    #[serde(default)]
    gpus_per_node: u32,
    #[serde(default)]
    gpu_type: u8,
    /// `2h`.
    max_walltime: String,
    /// Number of the price plan.
    plan: u32,
}

/// Reads a cluster's file: its description, and names of templates to allow. Errors name the field.
pub fn parse_cluster(path: &Path, text: &str) -> Result<(ClusterSpec, Vec<String>)> {
    let file: ClusterFile =
        toml::from_str(text).map_err(|e| toml_failure("cluster", path, text, &e))?;
    let wrong = |field: String, e: String| {
        Failure::usage(
            format!("cluster {}: {field}: {e}", path.display()),
            "correct that field",
        )
    };
    let mut partitions = Vec::new();
    for (i, p) in file.partitions.iter().enumerate() {
        let field = |name: &str| format!("partitions[{i}].{name}");
        partitions.push(Partition {
            name: name_of(&field("name"), &p.name)?,
            nodes: p.nodes,
            cpus_per_node: p.cpus_per_node,
            memory_mib_per_node: units::parse_mib(&p.memory_per_node)
                .map_err(|e| wrong(field("memory_per_node"), e))?,
            gpus_per_node: p.gpus_per_node,
            gpu_type: p.gpu_type,
            max_walltime: units::parse_duration(&p.max_walltime)
                .map_err(|e| wrong(field("max_walltime"), e))?
                .as_secs(),
            plan: p.plan,
        });
    }
    let spec = ClusterSpec {
        name: name_of("name", &file.name)?,
        partitions: partitions
            .try_into()
            .map_err(|_| wrong("partitions".into(), "more than 16".into()))?,
        max_open_jobs: file.max_open_jobs,
        min_score: file.min_score,
        custom_scripts: file.custom_scripts,
    };
    Ok((spec, file.templates))
}

/// `ve cluster`.
pub async fn run(context: &Context, command: ClusterCommand) -> Result {
    match command {
        ClusterCommand::Register { file } => {
            let (spec, templates) =
                parse_cluster(&file, &read_text("reading the cluster", &file)?)?;
            // A template that is not there is found before anything is registered.
            let library = Library::open(&context.config.templates)?;
            for name in &templates {
                library.find(name)?;
            }
            let submitter = context.submitter(None).await?;
            let done = context
                .submit_with(&submitter, calls::hpc::register_cluster(&spec))
                .await?;
            let id = done
                .expect("Hpc", "ClusterRegistered")?
                .integer("cluster")
                .unwrap_or_default();
            let id = ClusterId::try_from(id).unwrap_or(ClusterId::MAX);
            if !templates.is_empty() {
                let all = allow_calls(&library, id, &templates)?;
                context
                    .submit_with(&submitter, calls::utility::batch_all(all))
                    .await?;
            }
            if context.json {
                ui::json(&json!({ "cluster": id, "templates": templates }));
            } else {
                ui::note(format!("registered as cluster {id}"));
                if templates.is_empty() {
                    ui::note(format!(
                        "it runs no template yet: `ve cluster allow-template {id} NAME`"
                    ));
                }
            }
            Ok(())
        }
        ClusterCommand::Update { cluster, file } => {
            let (spec, _) = parse_cluster(&file, &read_text("reading the cluster", &file)?)?;
            context
                .submit(calls::hpc::update_cluster(cluster, &spec))
                .await?;
            told(context, cluster, "updated")
        }
        ClusterCommand::Drain { cluster } => {
            context
                .submit(calls::hpc::set_cluster_state(
                    cluster,
                    ClusterState::Draining,
                ))
                .await?;
            told(context, cluster, "draining")
        }
        ClusterCommand::Open { cluster } => {
            context
                .submit(calls::hpc::set_cluster_state(cluster, ClusterState::Open))
                .await?;
            told(context, cluster, "open")
        }
        ClusterCommand::AllowTemplate { cluster, templates } => {
            let library = Library::open(&context.config.templates)?;
            let all = allow_calls(&library, cluster, &templates)?;
            context.submit(calls::utility::batch_all(all)).await?;
            told(
                context,
                cluster,
                &format!("runs {} now", templates.join(", ")),
            )
        }
        ClusterCommand::List => {
            let at = context.chain().await?.at_finalized().await?;
            let provider = provider_id(context, &at, None).await?;
            let own: Vec<_> = at
                .all_clusters()
                .await?
                .into_iter()
                .filter(|(_, c)| c.provider == provider)
                .collect();
            clusters::list(context, &at, own).await
        }
        ClusterCommand::Show { cluster } => {
            let at = context.chain().await?.at_finalized().await?;
            let found = at.cluster(cluster).await?.ok_or_else(|| {
                Failure::missing(
                    format!("cluster: there is no cluster {cluster}"),
                    "see `ve clusters`",
                )
            })?;
            clusters::list(context, &at, vec![(cluster, found)]).await
        }
    }
}

fn allow_calls(
    library: &Library,
    cluster: ClusterId,
    names: &[String],
) -> Result<Vec<ve_chain::Call>> {
    names
        .iter()
        .map(|name| {
            let template = library.find(name)?;
            Ok(calls::hpc::allow_template(
                cluster,
                template.hash(),
                &name_of("template", name)?,
            ))
        })
        .collect()
}

fn told(context: &Context, cluster: ClusterId, what: &str) -> Result {
    if context.json {
        ui::json(&json!({ "cluster": cluster, "done": what }));
    } else {
        ui::note(format!("cluster {cluster}: {what}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_should_be_read_when_it_is_well_formed_and_else_the_field_named() {
        let text = "name = \"c\"\nmax_open_jobs = 4\ntemplates = [\"heat\"]\n[[partitions]]\nname = \"main\"\nnodes = 2\ncpus_per_node = 8\nmemory_per_node = \"4GiB\"\nmax_walltime = \"2h\"\nplan = 3\n";
        let (spec, templates) = parse_cluster(Path::new("c.toml"), text).unwrap();
        assert_eq!(templates, ["heat"]);
        let p = &spec.partitions[0];
        assert_eq!(
            (
                p.nodes,
                p.cpus_per_node,
                p.memory_mib_per_node,
                p.max_walltime,
                p.plan
            ),
            (2, 8, 4096, 7200, 3)
        );
        let failure = parse_cluster(Path::new("c.toml"), &text.replace("4GiB", "4")).unwrap_err();
        assert!(
            failure.what.contains("partitions[0].memory_per_node"),
            "{}",
            failure.what
        );
        let failure = parse_cluster(
            Path::new("c.toml"),
            &text.replace("nodes = 2", "nodes = \"two\""),
        )
        .unwrap_err();
        assert!(failure.what.contains("c.toml:6:9"), "{}", failure.what);
    }
}
