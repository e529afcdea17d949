use super::*;
use serde_json::{json, Map};

fn payload() -> JobPayload {
    JobPayload {
        version: 1,
        template: Some(TemplateRef {
            name: "heat".into(),
            version: "1.0.0".into(),
        }),
        parameters: Map::from_iter([("steps".to_string(), json!(5000))]),
        script: None,
        inputs: vec![PayloadInput {
            name: "mesh.dat".into(),
            hash: [0xab; 32],
            length: 304,
            plain_length: 17,
            key: ContentKeyBytes::new([0xcd; 32]),
        }],
    }
}

#[test]
fn payload_should_come_back_when_written_and_read() {
    let bytes = payload().to_bytes().unwrap();
    assert_eq!(JobPayload::from_bytes(&bytes).unwrap(), payload());
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.contains(&"ab".repeat(32)) && text.contains(&"cd".repeat(32)));
    assert!(
        !format!("{:?}", payload()).contains("cd") && !format!("{:?}", payload()).contains("205"),
        "a key was shown"
    );
}

#[test]
fn payload_should_be_refused_when_it_is_not_sound() {
    let change = |change: &dyn Fn(&mut JobPayload)| {
        let mut bad = payload();
        change(&mut bad);
        bad.to_bytes().unwrap_err().to_string()
    };
    assert!(change(&|p| p.version = 2).contains("reads version 1"));
    assert!(change(&|p| p.template = None).contains("either a template or a script"));
    assert!(
        change(&|p| p.script = Some("#!/bin/sh".into())).contains("either a template or a script")
    );
    assert!(change(&|p| p.inputs[0].name = "a/x".into()).contains("not allowed"));
    assert!(change(&|p| p.inputs.push(p.inputs[0].clone())).contains("there twice"));
    assert!(change(&|p| p.inputs = vec![p.inputs[0].clone(); 17]).contains("at most 16"));
    for bad in [
        &b"{"[..],
        b"[]",
        br#"{"version":1}"#,
        br#"{"version":1,"template":null,"parameters":{},"script":"x","inputs":[],"y":1}"#,
    ] {
        assert!(matches!(
            JobPayload::from_bytes(bad),
            Err(PayloadError::Shape(_))
        ));
    }
}

#[test]
fn result_summary_should_come_back_when_written_and_read() {
    let summary = ResultSummary {
        version: 1,
        job: 42,
        reason: "TimedOut".into(),
        exit_code: 75,
        partial: true,
        tasks: vec![TaskResult {
            task: 0,
            state: "timed out".into(),
            exit_code: 75,
        }],
        omitted: vec![OmittedFile {
            path: "core".into(),
            length: 9,
            reason: "is not an output of heat".into(),
        }],
    };
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(
        serde_json::from_str::<ResultSummary>(&text).unwrap(),
        summary
    );
}
