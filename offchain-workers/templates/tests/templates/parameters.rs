use super::*;
use proptest::prelude::*;
use serde_json::{json, Value};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn validation_should_answer_whatever_it_is_given(
        name in prop::sample::select(vec!["steps", "alpha", "size", "x", ""]),
        text in prop_oneof![
            "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,5})?", "\\PC{0,20}", "\\[[0-9,.e]{0,20}\\]",
            "\\{\"[a-z]\":[0-9]{1,400}\\}", "null|true|false|\\[\\]|\\[\\[1e999\\]\\]",
        ],
    ) {
        static LIBRARY: std::sync::LazyLock<Library> = std::sync::LazyLock::new(library);
        let heat = LIBRARY.find("heat").unwrap();
        let _ = heat.parse_cli_params(&[format!("{name}={text}")]);
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            if let Ok(parameters) = heat.validate_parameters(&json!({name: value})) {
                prop_assert_eq!(parameters.as_map().len(), heat.properties().count());
                heat.predict(&parameters, &resources(1, 1));
            }
        }
    }
}

fn refusal(arguments: &[&str]) -> String {
    library()
        .find("heat")
        .unwrap()
        .parse_cli_params(arguments)
        .unwrap_err()
        .to_string()
}

#[test]
fn parameters_should_be_typed_and_completed_when_they_fit_the_schema() {
    let library = library();
    let heat = library.find("heat").unwrap();
    let given = heat
        .parse_cli_params(&["steps=7000", "alpha=1.5e1", "size=64"])
        .unwrap();
    assert_eq!(given.get("steps"), Some(&json!(7000)));
    assert_eq!(given.get("alpha"), Some(&json!(15.0)));
    assert_eq!(given.get("seed"), Some(&json!(1)), "the default");
    assert_eq!(given.as_map().len(), heat.properties().count());
    let same = heat
        .validate_parameters(&json!({"steps": 7000.0, "alpha": 15.0, "size": 64}))
        .unwrap();
    assert_eq!(
        same, given,
        "a whole number with a fraction of zero is whole"
    );
    for huge in [
        "alpha=1e400",
        "alpha=-1e400",
        "steps=1e400",
        "steps=123456789012345678901234567890",
    ] {
        assert!(heat.parse_cli_params(&[huge]).is_err(), "{huge}");
    }
    assert_eq!(
        heat.validate_parameters(&Value::Object(given.as_map().clone()))
            .unwrap(),
        given
    );
}

#[test]
fn parameter_should_be_refused_with_field_and_remedy_when_it_is_wrong() {
    for (argument, say) in [
        (
            "steps=0",
            "steps: 0 is not allowed; give a whole number from 1 to 10000000 (default 5000)",
        ),
        (
            "steps=many",
            "steps: many is not allowed; give a whole number",
        ),
        (
            "steps=1.5",
            "steps: 1.5 is not allowed; give a whole number",
        ),
        ("alpha=1e99", "alpha: "),
        (
            "stepz=5",
            "stepz: is not a parameter of heat; did you mean steps?",
        ),
        (
            "quux=5",
            "quux: is not a parameter of heat; remove it; there are: alpha, checkpoint_every,",
        ),
        ("steps", "steps: has no value; write it as name=value"),
        ("=5", "=5: has no name; write it as name=value"),
    ] {
        let said = refusal(&[argument]);
        assert!(said.starts_with(say), "{argument}: {said}");
    }
    assert_eq!(
        refusal(&["steps=1", "steps=2"]),
        "steps: is given twice; give it once"
    );
    assert_eq!(
        refusal(&["steps=0", "size=1", "x=2"]).lines().count(),
        3,
        "all that is wrong is said at once"
    );
    let error = library()
        .find("heat")
        .unwrap()
        .validate_parameters(&json!([1]))
        .unwrap_err();
    assert!(error.to_string().contains("are not an object"));
}

#[test]
fn resources_should_come_from_the_template_when_not_asked_for() {
    let library = library();
    let heat = library.find("heat").unwrap();
    let parameters = heat.parse_cli_params::<&str>(&[]).unwrap();
    let need = heat.resources(&parameters, &Wanted::default()).unwrap();
    assert_eq!(
        (
            need.resources.cpus,
            need.resources.nodes,
            need.resources.array_tasks
        ),
        (1, 1, 1)
    );
    assert!(need.resources.is_well_formed());
    let more = heat
        .resources(
            &parameters,
            &Wanted {
                cpus: Some(4),
                walltime: Some(600),
                ..Wanted::default()
            },
        )
        .unwrap();
    assert_eq!((more.resources.cpus, more.walltime), (4, 600));
    let error = heat.resources(
        &parameters,
        &Wanted {
            cpus: Some(65),
            walltime: Some(1),
            ..Wanted::default()
        },
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("cpus: 65 is outside what heat takes; give 1 to 64"),
        "{error}"
    );
    assert!(
        error.contains("walltime: 1 s is outside what heat takes; give 10 to 604800 s"),
        "{error}"
    );

    let sweep = library.find("sweep").unwrap();
    let parameters = sweep.parse_cli_params(&["tasks=9"]).unwrap();
    assert_eq!(
        sweep
            .resources(&parameters, &Wanted::default())
            .unwrap()
            .resources
            .array_tasks,
        9
    );
    let error = sweep
        .check_resources(&parameters, &resources(1, 3), 60)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(
            "array_tasks: 3 array tasks, but the parameters make 9; submit the job with 9 tasks"
        ),
        "{error}"
    );
}

#[test]
fn prediction_should_follow_the_cost_model_when_worked_out_by_hand() {
    let library = library();
    let heat = library.find("heat").unwrap();
    let cost = &heat.manifest().cost;
    let parameters = heat
        .parse_cli_params(&["steps=100000", "size=100", "image=1000"])
        .unwrap();
    let work = cost.terms[0].seconds * 100_000.0 * 10_000.0 + cost.terms[1].seconds * 1_000_000.0;
    for cpus in [1, 4] {
        let seconds =
            cost.base_s + work * ((1.0 - cost.parallel) + cost.parallel / f64::from(cpus));
        let guess = heat.predict(&parameters, &resources(cpus, 1));
        assert_eq!(guess.seconds, seconds.ceil() as u64);
        assert_eq!(guess.cpu_seconds, (seconds * f64::from(cpus)).ceil() as u64);
        assert_eq!(guess.walltime, (seconds * cost.margin + 30.0).ceil() as u64);
    }
    let sweep = library.find("sweep").unwrap();
    let one = sweep.predict(
        &sweep
            .parse_cli_params(&["tasks=1", "iterations=1000000"])
            .unwrap(),
        &resources(1, 1),
    );
    let ten = sweep.predict(
        &sweep
            .parse_cli_params(&["tasks=10", "iterations=1000000"])
            .unwrap(),
        &resources(1, 10),
    );
    assert!(
        ten.seconds < one.seconds / 5 && ten.cpu_seconds >= one.cpu_seconds,
        "{one:?} {ten:?}"
    );
}

#[test]
fn render_should_refuse_inputs_when_they_are_missing_or_strange() {
    let library = library();
    let heat = library.find("heat").unwrap();
    let parameters = heat.parse_cli_params::<&str>(&[]).unwrap();
    let job = |inputs: &[&str]| JobContext {
        resources: resources(1, 1),
        walltime: 60,
        inputs: inputs.iter().map(|s| s.to_string()).collect(),
    };
    let said = heat.render(&parameters, &job(&[])).unwrap_err().to_string();
    assert!(
        said.starts_with("mesh.dat: this input is missing; give a file with that name"),
        "{said}"
    );
    let said = heat
        .render(&parameters, &job(&["mesh.dat", "mash.dat"]))
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("mash.dat: is not an input of heat; rename it; there are: mesh.dat"),
        "{said}"
    );
    let rendered = heat.render(&parameters, &job(&["mesh.dat"])).unwrap();
    assert!(rendered.requeue && rendered.warning.is_some());
    assert!(rendered
        .files
        .iter()
        .all(|f| !f.path.contains("example") && !f.path.contains("template.toml")));
}

#[test]
fn file_name_should_be_refused_when_it_could_leave_the_input_directory() {
    for bad in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "-rf",
        ".hidden",
        "a\nb",
        "a\0b",
        "ä",
        "a'b",
        "$(x)",
        "a*",
    ] {
        assert!(safe_file_name(bad).is_err(), "{bad:?}");
    }
    assert!(safe_file_name(&"x".repeat(201)).is_err());
    for good in ["mesh.dat", "A file-1_2+3.tar.gz"] {
        safe_file_name(good).unwrap();
    }
}

#[test]
fn template_should_be_found_by_name_version_and_hash() {
    let library = library();
    let names: Vec<_> = library.iter().map(Template::name).collect();
    assert_eq!(
        names,
        [
            "checkpoint",
            "fit",
            "flow",
            "gpu",
            "heat",
            "notebook",
            "patterns",
            "pipeline",
            "python",
            "sweep",
            "water"
        ]
    );
    let heat = library.find("heat").unwrap();
    for what in [
        "heat@1.0.0".to_string(),
        format!("{:?}", heat.hash()),
        hex::encode(heat.hash().0),
    ] {
        assert_eq!(library.find(&what).unwrap().hash(), heat.hash(), "{what}");
    }
    for what in ["heat@9.9.9", "cold", "0x00", &"00".repeat(32)] {
        assert!(library.find(what).is_none(), "{what}");
    }
    assert!(library.by_hash(&heat.hash()).is_some());
    assert!(heat.example("mesh.dat").is_some());
}

#[test]
fn outputs_should_be_accepted_when_a_pattern_fits() {
    let library = library();
    let outputs = &library.find("sweep").unwrap().manifest().outputs;
    for path in ["sweep.png", "part-0001.json", "part-.json"] {
        assert!(outputs.accepts(path).is_some(), "{path}");
    }
    for path in [
        "sweep.png.new",
        "part-1.json.7.new",
        "x/part-1.json",
        "part-a/b.json",
        "result.json",
        "",
    ] {
        assert!(outputs.accepts(path).is_none(), "{path}");
    }
}
