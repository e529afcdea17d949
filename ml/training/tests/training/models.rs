//! The manifest describes the files beside it. That they come from where it says is what `scripts/models.sh` shows.

use std::path::Path;
use ve_ml_engine::Net;
use ve_ml_training::manifest::Manifest;

fn manifest() -> Manifest {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/manifest.toml");
    Manifest::read(&file).expect("the manifest is valid")
}

#[test]
fn artefacts_should_be_the_pinned_ones_when_read_from_the_repository() {
    let manifest = manifest();
    let mut bytes = 0;
    for model in &manifest.model {
        let artefact = manifest
            .pinned(&model.artefact)
            .expect("the artefact has its pinned hash");
        let net = Net::parse(&artefact).expect("a shipped artefact is valid");
        let input = net.graph().input;
        assert_eq!(
            [input.height as usize, input.width as usize],
            model.input,
            "{}",
            model.name
        );
        assert_eq!(
            net.graph().outputs.len(),
            model.outputs.len(),
            "{}",
            model.name
        );
        manifest
            .ranges(model)
            .expect("the scales have their pinned hash");
        bytes += artefact.len();
    }
    assert!(
        bytes <= 20_000_000,
        "all artefacts together are {bytes} bytes"
    );
}
