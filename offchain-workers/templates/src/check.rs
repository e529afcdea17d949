//! Everything that can be wrong with a template, each with its place and its remedy.

use crate::{
    parameters::is_parameter_name,
    safe_file_name,
    template::{read, Files, BODY, MANIFEST},
    Bounds, Manifest, Problem,
};
use serde_json::{json, Value};
use std::{
    collections::BTreeSet,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

type Examined = (Manifest, Value, jsonschema::Validator);

/// Everything that is wrong with the template in a folder; empty if nothing is.
pub fn check(dir: &Path) -> Vec<Problem> {
    let (files, mut problems) = read(dir);
    if let Err(more) = examine(&files, dir.file_name().and_then(|n| n.to_str())) {
        problems.extend(more);
    }
    problems
}

/// Checks files as a template whose folder is called `folder`.
pub(crate) fn examine(files: &Files, folder: Option<&str>) -> Result<Examined, Vec<Problem>> {
    let Some(bytes) = files.get(MANIFEST) else {
        let remedy = "write one; slurm-templates/README.md explains it";
        return Err(vec![Problem::new(
            MANIFEST,
            "there is no such file",
            remedy,
        )]);
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(vec![Problem::new(
            MANIFEST,
            "is not UTF-8",
            "save it as UTF-8",
        )]);
    };
    let manifest: Manifest = toml::from_str(text).map_err(|error| {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let problem = Problem::new(
            MANIFEST,
            message,
            "correct this line; slurm-templates/README.md lists the fields",
        );
        vec![match error.span() {
            Some(span) => problem.at_byte(text, span.start),
            None => problem,
        }]
    })?;
    let mut found = Finder {
        text,
        problems: Vec::new(),
    };
    found.head(&manifest, folder);
    let schema = found.parameters(&manifest);
    let validator = match jsonschema::draft202012::new(&schema) {
        Ok(validator) => Some(validator),
        Err(error) => {
            let path = error.instance_path().to_string();
            let mut keys = vec!["parameters"];
            keys.extend(path.split('/').skip(1));
            found.say(
                &keys,
                format!("is not a JSON Schema: {error}"),
                "see json-schema.org, draft 2020-12",
            );
            None
        }
    };
    found.defaults(&schema);
    found.resources(&manifest, &schema);
    found.files(&manifest);
    found.cost(&manifest, &schema);
    let mut problems = found.problems;
    match files.get(BODY).map(|b| std::str::from_utf8(b)) {
        None => problems.push(Problem::new(
            BODY,
            "there is no such file",
            "write the batch body into it",
        )),
        Some(Err(_)) => problems.push(Problem::new(BODY, "is not UTF-8", "save it as UTF-8")),
        Some(Ok(body)) => problems.extend(body_problems(body, &schema)),
    }
    match (validator, problems.is_empty()) {
        (Some(validator), true) => Ok((manifest, schema, validator)),
        _ => Err(problems),
    }
}

struct Finder<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Finder<'_> {
    fn say(&mut self, path: &[&str], message: impl Into<String>, remedy: impl Into<String>) {
        let message = format!("{} {}", path.join("."), message.into());
        self.problems
            .push(Problem::new(MANIFEST, message, remedy).at_key(self.text, path));
    }

    fn head(&mut self, manifest: &Manifest, folder: Option<&str>) {
        if manifest.schema != 1 {
            self.say(
                &["schema"],
                format!("is {}", manifest.schema),
                "this program knows schema = 1",
            );
        }
        let name = &manifest.name;
        let is_name = name.len() <= 32
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name {
            let remedy =
                "use small letters, digits and dashes, beginning with a letter, at most 32";
            self.say(&["name"], "is not a possible name", remedy);
        } else if folder.is_some_and(|f| f != name) {
            self.say(
                &["name"],
                "is not the name of its folder",
                "give both the same name",
            );
        }
        let parts: Vec<_> = manifest.version.split('.').collect();
        if parts.len() != 3 || parts.iter().any(|p| p.parse::<u32>().is_err()) {
            self.say(
                &["version"],
                "is not a version",
                "write three numbers, as \"1.0.0\"",
            );
        }
        if manifest.summary.trim().is_empty()
            || manifest.summary.contains('\n')
            || manifest.summary.len() > 120
        {
            self.say(
                &["summary"],
                "is not one line",
                "say in at most 120 characters what it does",
            );
        }
        if let Some(warning) = &manifest.warning {
            if !(1..=3600).contains(&warning.seconds_before) {
                self.say(
                    &["warning", "seconds_before"],
                    "is out of range",
                    "give 1 to 3600 seconds",
                );
            }
        }
    }

    /// The whole JSON Schema out of the manifest's `[parameters]`.
    fn parameters(&mut self, manifest: &Manifest) -> Value {
        let mut schema = serde_json::to_value(&manifest.parameters).unwrap_or_else(|_| json!({}));
        for key in manifest
            .parameters
            .keys()
            .filter(|k| !["properties", "required"].contains(&k.as_str()))
        {
            self.say(
                &["parameters", key],
                "is not known here",
                "only properties and required are",
            );
        }
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let required: Vec<String> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|all| {
                all.iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default();
        for name in required.iter().filter(|n| !properties.contains_key(*n)) {
            self.say(
                &["parameters", "required"],
                format!("names {name}, which is no property"),
                "remove it",
            );
        }
        for (name, property) in &properties {
            let path = ["parameters", "properties", name];
            if !is_parameter_name(name) {
                let remedy = "use small letters, digits and underscores, beginning with a letter, at most 64";
                self.say(&path, "is not a possible name", remedy);
            }
            let kind = property
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !["string", "integer", "number", "boolean", "array"].contains(&kind) {
                self.say(
                    &path,
                    "has no type",
                    "give type = string, integer, number, boolean or array",
                );
            }
            for key in ["title", "description"] {
                if property
                    .get(key)
                    .and_then(Value::as_str)
                    .is_none_or(|t| t.trim().is_empty())
                {
                    self.say(
                        &path,
                        format!("has no {key}"),
                        "people see it when they are asked for the value",
                    );
                }
            }
            if property.get("default").is_none() && !required.contains(name) {
                self.say(
                    &path,
                    "has no default and is not required",
                    "give it one of the two",
                );
            }
            if ["integer", "number"].contains(&kind)
                && property.get("enum").is_none()
                && (property.get("minimum").is_none() || property.get("maximum").is_none())
            {
                self.say(
                    &path,
                    "has no bounds",
                    "give minimum and maximum: a provider runs this on its machines",
                );
            }
        }
        if let Some(object) = schema.as_object_mut() {
            object.insert(
                "$schema".into(),
                json!("https://json-schema.org/draft/2020-12/schema"),
            );
            object.insert("title".into(), json!(manifest.summary));
            object.insert("type".into(), json!("object"));
            object.insert("additionalProperties".into(), json!(false));
        }
        schema
    }

    fn defaults(&mut self, schema: &Value) {
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let Some(default) = property.get("default") else {
                continue;
            };
            let Ok(validator) = jsonschema::draft202012::new(property) else {
                continue;
            };
            if let Err(error) = validator.validate(default) {
                let path = ["parameters", "properties", name, "default"];
                self.say(
                    &path,
                    format!("does not fit its own schema: {error}"),
                    "change the one or the other",
                );
            }
        }
    }

    fn resources(&mut self, manifest: &Manifest, schema: &Value) {
        let r = &manifest.resources;
        let all: [(&str, &Bounds, u64); 5] = [
            ("nodes", &r.nodes, 1),
            ("cpus", &r.cpus, 1),
            ("memory_mib", &r.memory_mib, 1),
            ("gpus", &r.gpus, 0),
            ("walltime_s", &r.walltime_s, 1),
        ];
        for (name, bounds, least) in all {
            if !bounds.is_sound() || bounds.min < least || bounds.max > u64::from(u32::MAX) {
                let remedy = format!("give {least} <= min <= default <= max");
                self.say(
                    &["resources", name],
                    "has bounds that contradict each other",
                    remedy,
                );
            }
        }
        if let Some(tasks) = &r.tasks {
            let path = ["resources", "tasks"];
            if tasks.min < 1 || tasks.min > tasks.max || tasks.max > 100_000 {
                self.say(
                    &path,
                    "has bounds that contradict each other",
                    "give 1 <= min <= max <= 100000",
                );
            }
            if kind_of(schema, &tasks.parameter) != Some("integer") {
                self.say(
                    &path,
                    "names no integer parameter",
                    "name the parameter that says how many tasks there are",
                );
            }
        }
    }

    fn files(&mut self, manifest: &Manifest) {
        let mut names = BTreeSet::new();
        for (i, input) in manifest.inputs.iter().enumerate() {
            let index = i.to_string();
            if let Err(error) = safe_file_name(&input.name) {
                self.say(&["inputs", &index, "name"], error.message, error.remedy);
            }
            if !names.insert(&input.name) {
                self.say(
                    &["inputs", &index, "name"],
                    "is there twice",
                    "rename one of them",
                );
            }
            if input.max_bytes == 0 {
                self.say(
                    &["inputs", &index, "max_bytes"],
                    "is 0",
                    "give the most bytes that make sense",
                );
            }
        }
        if manifest.outputs.files.is_empty() {
            self.say(
                &["outputs", "files"],
                "is empty",
                "name what the job writes; nothing else is collected",
            );
        }
        for (i, output) in manifest.outputs.files.iter().enumerate() {
            let index = i.to_string();
            let path = ["outputs", "files", &index, "path"];
            let is_plain = !output.path.is_empty()
                && !output.path.chars().any(char::is_control)
                && output
                    .path
                    .split('/')
                    .all(|part| !part.is_empty() && !part.starts_with('.'));
            if !is_plain {
                self.say(
                    &path,
                    "is not a path below the output directory",
                    "write it as name or folder/name",
                );
            } else if output.path == "result.json" {
                self.say(
                    &path,
                    "is taken by the worker's own summary",
                    "choose another name",
                );
            }
            if output.max_bytes == 0 || output.max_bytes > manifest.outputs.max_bytes {
                let path = ["outputs", "files", &index, "max_bytes"];
                self.say(
                    &path,
                    "is 0 or more than outputs.max_bytes",
                    "give the most bytes that make sense",
                );
            }
        }
    }

    fn cost(&mut self, manifest: &Manifest, schema: &Value) {
        let cost = &manifest.cost;
        let sound = |x: f64| x.is_finite() && x >= 0.0;
        if !sound(cost.base_s) {
            self.say(
                &["cost", "base_s"],
                "is not a number of seconds",
                "give 0 or more",
            );
        }
        if !(0.0..=1.0).contains(&cost.parallel) {
            self.say(&["cost", "parallel"], "is not a share", "give 0 to 1");
        }
        if !cost.margin.is_finite() || cost.margin < 1.0 {
            self.say(
                &["cost", "margin"],
                "is below 1",
                "give 1 or more; 2 leaves room for a machine half as fast",
            );
        }
        for (i, term) in cost.terms.iter().enumerate() {
            let index = i.to_string();
            if !sound(term.seconds) {
                self.say(
                    &["cost", "terms", &index, "seconds"],
                    "is not a number of seconds",
                    "give 0 or more",
                );
            }
            for (key, names) in [("factors", &term.factors), ("divisors", &term.divisors)] {
                for name in names
                    .iter()
                    .filter(|n| !matches!(kind_of(schema, n), Some("integer" | "number")))
                {
                    let message = format!("names {name}, which is no numeric parameter");
                    self.say(
                        &["cost", "terms", &index, key],
                        message,
                        "name an integer or number parameter",
                    );
                }
            }
        }
    }
}

fn kind_of<'a>(schema: &'a Value, name: &str) -> Option<&'a str> {
    schema.get("properties")?.get(name)?.get("type")?.as_str()
}

/// What is wrong with the batch body.
fn body_problems(body: &str, schema: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !body.starts_with("#!/bin/sh") {
        let remedy = "begin with #!/bin/sh: it is run by a POSIX shell";
        problems.push(Problem::new(BODY, "does not begin with #!/bin/sh", remedy).at_line(1));
    }
    let mut quoted = false;
    for (i, line) in body.lines().enumerate() {
        let words = line.trim_start();
        if ["#SBATCH", "#PBS", "#MSUB", "#BSUB", "#FLUX", "#$"]
            .iter()
            .any(|d| words.starts_with(d))
        {
            let remedy = "remove it: options come only from the validated job";
            problems.push(Problem::new(BODY, "has a scheduler directive", remedy).at_line(i + 1));
        }
        if words.starts_with('#') && !quoted {
            continue;
        }
        if line
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .any(|word| word == "eval")
        {
            let remedy = "remove it: it would make a value into code";
            problems.push(Problem::new(BODY, "uses eval", remedy).at_line(i + 1));
        }
        problems.extend(
            parameter_uses(line, &mut quoted, schema)
                .into_iter()
                .map(|p| p.at_line(i + 1)),
        );
    }
    problems.extend(syntax_problem(body));
    problems
}

/// Parameters that a line uses outside of double quotes, or that do not exist. `quoted` is carried from line to line.
fn parameter_uses(line: &str, quoted: &mut bool, schema: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (mut literal, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if !literal => escaped = true,
            '\'' if !*quoted => literal = !literal,
            '"' if !literal => *quoted = !*quoted,
            '$' if !literal => {
                let rest = line.get(at + 1..).unwrap_or_default();
                let Some(tail) = rest
                    .strip_prefix('{')
                    .unwrap_or(rest)
                    .strip_prefix("VE_PARAM_")
                else {
                    continue;
                };
                let name: String = tail
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                if kind_of(schema, &name).is_none() {
                    let message = format!("uses VE_PARAM_{name}, but there is no parameter {name}");
                    problems.push(Problem::new(
                        BODY,
                        message,
                        "declare it in template.toml or correct the name",
                    ));
                }
                if !*quoted {
                    let message = format!("uses VE_PARAM_{name} without quotes");
                    let remedy =
                        format!("write \"$VE_PARAM_{name}\": a shell splits what is not quoted");
                    problems.push(Problem::new(BODY, message, remedy));
                }
            }
            _ => {}
        }
    }
    problems
}

/// Asks the system's shell whether it can read the body, without running it.
fn syntax_problem(body: &str) -> Option<Problem> {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-n", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = shell.spawn().ok()?;
    // A shell that stops reading early has found an error, which it reports below.
    let _ = child
        .stdin
        .take()
        .map(|mut to| to.write_all(body.as_bytes()));
    let output = child.wait_with_output().ok()?;
    if output.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
    let line = said.split(':').find_map(|part| {
        part.trim()
            .trim_start_matches("line ")
            .parse::<usize>()
            .ok()
    });
    let message = said.rsplit(": ").next().unwrap_or(&said).to_string();
    let problem = Problem::new(
        BODY,
        format!("the shell cannot read it: {message}"),
        "correct the script",
    );
    Some(match line {
        Some(line) => problem.at_line(line),
        None => problem,
    })
}
