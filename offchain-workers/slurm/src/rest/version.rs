//! Which version of the API to speak.

use std::collections::BTreeMap;

use serde::{de::IgnoredAny, Deserialize};

use super::shape::{Shape, V38, V40};

/// Newest version whose shape is known.
const NEWEST: u32 = 44;

/// A version of slurmrestd's API, `v0.0.N`.
#[derive(Clone, Copy)]
pub(crate) struct Version {
    pub number: u32,
    pub shape: &'static dyn Shape,
}

impl Version {
    fn new(number: u32) -> Option<Self> {
        let shape: &'static dyn Shape = match number {
            37..=38 => &V38,
            40..=NEWEST => &V40,
            // v0.0.39 mixes both shapes; who has it has v0.0.38 or v0.0.40 too.
            _ => return None,
        };
        Some(Self { number, shape })
    }

    /// Path of something that slurmctld answers for.
    pub fn slurm(&self, rest: &str) -> String {
        format!("slurm/v0.0.{}/{rest}", self.number)
    }

    /// Path of a list that slurmctld answers with.
    pub fn slurm_list(&self, name: &str) -> String {
        self.slurm(&format!("{name}{}", self.shape.list_suffix()))
    }

    /// Path of a list that slurmdbd answers with.
    pub fn slurmdb_list(&self, name: &str) -> String {
        format!(
            "slurmdb/v0.0.{}/{name}{}",
            self.number,
            self.shape.list_suffix()
        )
    }
}

/// The newest version that both sides know, out of slurmrestd's own description (`GET /openapi/v3`).
pub(crate) fn negotiate(description: &[u8]) -> Result<Version, String> {
    #[derive(Deserialize)]
    struct Description {
        paths: BTreeMap<String, IgnoredAny>,
    }
    let description: Description = serde_json::from_slice(description)
        .map_err(|e| format!("slurmrestd's description of its API makes no sense ({e}); see that the URL is slurmrestd's"))?;
    let of = |service: &str| -> Vec<u32> {
        let paths = description.paths.keys();
        let mut numbers: Vec<u32> = paths
            .filter_map(|path| {
                let rest = path.strip_prefix(service)?.strip_prefix("/v0.0.")?;
                rest.split('/').next()?.parse().ok()
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    let (slurm, slurmdb) = (of("/slurm"), of("/slurmdb"));
    let common = slurm.iter().rev().filter(|n| slurmdb.contains(n));
    common.copied().find_map(Version::new).ok_or_else(|| {
        format!(
            "slurmrestd offers v0.0.{slurm:?} of slurm and v0.0.{slurmdb:?} of slurmdb; one of 37, 38 and 40 to \
             {NEWEST} is needed for both: load the openapi plugins for slurmctld and slurmdbd (slurmrestd -s)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(paths: &[&str]) -> Vec<u8> {
        let paths: serde_json::Map<_, _> = paths
            .iter()
            .map(|p| ((*p).to_owned(), serde_json::json!({"get": {"tags": []}})))
            .collect();
        serde_json::to_vec(&serde_json::json!({ "openapi": "3.0.2", "paths": paths })).unwrap()
    }

    #[test]
    fn version_should_be_the_newest_known_when_several_are_offered() {
        let of = |paths: &[&str]| negotiate(&described(paths)).map(|v| v.number);
        let old = [
            "/slurm/v0.0.37/ping",
            "/slurm/v0.0.38/ping",
            "/slurmdb/v0.0.37/jobs",
            "/slurmdb/v0.0.38/jobs",
        ];
        assert_eq!(of(&old), Ok(38));
        let new = [
            "/slurm/v0.0.42/ping/",
            "/slurm/v0.0.40/ping/",
            "/slurmdb/v0.0.42/jobs/",
            "/slurmdb/v0.0.40/jobs/",
        ];
        assert_eq!(of(&new), Ok(42));
        let between = [
            "/slurm/v0.0.38/ping",
            "/slurm/v0.0.39/ping",
            "/slurmdb/v0.0.38/jobs",
            "/slurmdb/v0.0.39/jobs",
        ];
        assert_eq!(of(&between), Ok(38));
        let future = [
            "/slurm/v0.0.99/ping/",
            "/slurmdb/v0.0.99/jobs/",
            "/slurm/v0.0.43/ping/",
            "/slurmdb/v0.0.43/jobs/",
        ];
        assert_eq!(of(&future), Ok(43));
    }

    #[test]
    fn version_should_be_refused_with_a_remedy_when_none_is_common() {
        for paths in [
            &["/slurm/v0.0.38/ping"][..],
            &["/slurm/v0.0.38/ping", "/slurmdb/v0.0.37/jobs"],
            &["/slurm/v0.0.99/ping", "/slurmdb/v0.0.99/jobs"],
            &["/slurm/v0.0.x/ping", "/slurmdb/v0.0.x/jobs"],
            &[],
        ] {
            let error = negotiate(&described(paths)).err().expect("refused");
            assert!(error.contains("openapi plugins"), "{error}");
        }
        assert!(negotiate(b"<html>").is_err());
    }
}
