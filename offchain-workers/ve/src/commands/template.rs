//! The template library.

use crate::{
    cli::Template as Command,
    context::Context,
    failure::Result,
    library::{problems, Library},
    ui, units,
};
use serde_json::{json, Value};
use std::path::Path;
use ve_templates::{Bounds, Problems, Template};

/// `ve template`.
pub fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::List => list(context, &Library::open(&context.config.templates)?),
        Command::Show { name } => show(
            context,
            Library::open(&context.config.templates)?.find(&name)?,
        ),
        Command::Check { folder } => check(context, &folder),
    }
}

fn list(context: &Context, library: &Library) -> Result {
    if context.json {
        let all: Vec<Value> = library
            .iter()
            .map(|t| json!({ "name": t.name(), "version": t.version(), "summary": t.manifest().summary, "hash": format!("{:?}", t.hash()) }))
            .collect();
        ui::json(&Value::Array(all));
        return Ok(());
    }
    let mut table = ui::table(&["template", "version", "what it does", "hash"]);
    for t in library.iter() {
        let hash = hex::encode(t.hash());
        table.add_row([
            t.name(),
            t.version(),
            &t.manifest().summary,
            hash.get(..12).unwrap_or_default(),
        ]);
    }
    ui::print(&table);
    Ok(())
}

fn range(bounds: &Bounds, text: impl Fn(u64) -> String) -> String {
    if bounds.min == bounds.max {
        text(bounds.min)
    } else {
        format!(
            "{} to {}, {} if not said",
            text(bounds.min),
            text(bounds.max),
            text(bounds.default)
        )
    }
}

/// What a parameter's schema says, in a few words.
fn domain(schema: &Value) -> String {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    let mut words = Vec::new();
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        words.push(format!(
            "one of {}",
            all.iter().map(text).collect::<Vec<_>>().join(", ")
        ));
    } else if let Some(kind) = schema.get("type") {
        words.push(text(kind));
    }
    for (key, word) in [
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
        ("minLength", "at least characters"),
        ("maxLength", "at most characters"),
        ("pattern", "like"),
    ] {
        if let Some(value) = schema.get(key) {
            words.push(format!("{word} {}", text(value)));
        }
    }
    words.join(", ")
}

fn show(context: &Context, t: &Template) -> Result {
    let m = t.manifest();
    if context.json {
        ui::json(&json!({
            "name": t.name(),
            "version": t.version(),
            "hash": format!("{:?}", t.hash()),
            "summary": m.summary,
            "description": m.description,
            "parameters": t.schema(),
            "resources": m.resources,
            "inputs": m.inputs,
            "outputs": m.outputs,
            "cost": m.cost,
            "restart": m.restart,
        }));
        return Ok(());
    }
    crate::out!("{} {}: {}", t.name(), t.version(), m.summary);
    if !m.description.trim().is_empty() {
        crate::out!("\n{}", m.description.trim());
    }
    crate::out!("\nhash {:?}\n", t.hash());
    let required: Vec<&str> = t
        .schema()
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut table = ui::table(&["parameter (-p)", "value", "default", "meaning"]);
    for (name, schema) in t.properties() {
        let default = match schema.get("default") {
            Some(value) => value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_string),
            None if required.contains(&name.as_str()) => "must be given".into(),
            None => String::new(),
        };
        let meaning = schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        table.add_row([name.as_str(), &domain(schema), &default, meaning]);
    }
    ui::print(&table);
    crate::out!();
    let r = &m.resources;
    let plain = |n: u64| n.to_string();
    let mut rows = vec![
        ("processors (-n)", range(&r.cpus, plain)),
        ("memory (--mem)", range(&r.memory_mib, units::mib)),
        ("time (--time)", range(&r.walltime_s, units::duration)),
        ("nodes", range(&r.nodes, plain)),
    ];
    if r.gpus.max > 0 {
        rows.push(("accelerators", range(&r.gpus, plain)));
    }
    if let Some(tasks) = &r.tasks {
        rows.push((
            "array tasks",
            format!(
                "{} to {}, parameter {} (or --array)",
                tasks.min, tasks.max, tasks.parameter
            ),
        ));
    }
    rows.push((
        "stopped early",
        if m.restart.checkpoint {
            "goes on from its checkpoint".into()
        } else {
            "starts anew".to_string()
        },
    ));
    ui::facts(&rows);
    crate::out!();
    let mut table = ui::table(&["file", "", "at most", "what it is"]);
    for input in &m.inputs {
        let kind = if input.required {
            "input (--in)"
        } else {
            "input, optional"
        };
        table.add_row([
            input.name.as_str(),
            kind,
            &units::bytes(input.max_bytes),
            &input.summary,
        ]);
    }
    for output in &m.outputs.files {
        table.add_row([
            output.path.as_str(),
            "output",
            &units::bytes(output.max_bytes),
            &output.summary,
        ]);
    }
    ui::print(&table);
    Ok(())
}

fn check(context: &Context, folder: &Path) -> Result {
    let found = ve_templates::check(folder);
    if context.json {
        let all: Vec<Value> = found
            .iter()
            .map(|p| json!({ "file": p.file, "line": p.line, "column": p.column, "message": p.message, "remedy": p.remedy }))
            .collect();
        ui::json(&json!({ "folder": folder, "problems": all }));
    }
    if !found.is_empty() {
        return Err(problems(Problems(found)));
    }
    if !context.json {
        let template = Template::load(folder).map_err(problems)?;
        crate::out!(
            "{} {} is in order, hash {:?}",
            template.name(),
            template.version(),
            template.hash()
        );
    }
    Ok(())
}
