//! `ve quote`.

use crate::{
    amounts::Amounts,
    cli::Work,
    commands::offers::{asked, offers, resources_text},
    context::Context,
    failure::Result,
    library::Library,
    ui, units,
};
use serde_json::{json, Value};

/// What a job would cost, cluster by cluster.
pub async fn run(context: &Context, work: Work) -> Result {
    let library = Library::open(&context.config.templates)?;
    let asked = asked(&library, &work)?;
    let at = context.chain().await?.at_finalized().await?;
    let amounts = Amounts::existing(&at, "--asset", asked.asset).await?;
    let offers = offers(&at, &asked).await?;
    let amount = |a| amounts.json(a, asked.asset);
    if context.json {
        let all: Vec<Value> = offers
            .iter()
            .map(|o| {
                json!({
                    "cluster": o.cluster,
                    "provider": o.provider,
                    "name": o.name,
                    "partition": o.partition_name,
                    "partition_index": o.partition,
                    "at_most": amount(o.most),
                    "minimum": amount(o.minimum),
                    "predicted": o.predicted.map(amount),
                    "has_room": o.has_room,
                })
            })
            .collect();
        ui::json(&json!({
            "template": asked.template.name(),
            "resources": asked.resources,
            "walltime_seconds": asked.walltime,
            "predicted_seconds": asked.prediction.seconds,
            "offers": all,
        }));
        return Ok(());
    }
    crate::out!(
        "{} {}: {}; about {} by the template's cost model",
        asked.template.name(),
        asked.template.version(),
        resources_text(&asked),
        units::duration(asked.prediction.seconds)
    );
    let mut table = ui::table(&[
        "cluster",
        "name",
        "partition",
        "at most",
        "at least",
        "probably",
        "room",
    ]);
    for o in &offers {
        table.add_row(vec![
            ui::right(o.cluster),
            o.name.as_str().into(),
            o.partition_name.as_str().into(),
            ui::right(amounts.text(o.most, asked.asset)),
            ui::right(amounts.text(o.minimum, asked.asset)),
            ui::right(
                o.predicted
                    .map_or("?".into(), |p| amounts.text(p, asked.asset)),
            ),
            if o.has_room { "yes" } else { "full now" }.into(),
        ]);
    }
    ui::print(&table);
    Ok(())
}
