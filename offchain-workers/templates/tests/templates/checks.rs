//! Everything that `ve template check` says.

use super::*;
use std::fs;

const GOOD: &str = r#"schema = 1
name = "good"
version = "1.0.0"
summary = "Nothing much"

[parameters.properties.count]
type = "integer"
title = "Count"
description = "How often."
minimum = 1
maximum = 9
default = 3

[resources]
cpus = { min = 1, max = 4, default = 1 }
memory_mib = { min = 1, max = 64, default = 16 }
walltime_s = { min = 1, max = 60, default = 10 }

[[inputs]]
name = "a.dat"
summary = "an input"
max_bytes = 10

[outputs]
max_bytes = 100

[[outputs.files]]
path = "out.txt"
summary = "an output"
max_bytes = 100

[cost]
base_s = 1.0

[[cost.terms]]
seconds = 0.5
factors = ["count"]
"#;
const BODY: &str = "#!/bin/sh\nset -eu\necho \"$VE_PARAM_count\" > \"$VE_OUTPUT_DIR/out.txt\"\n";

/// The problems of a template in a folder called `good`.
fn problems(manifest: &str, body: &str) -> Vec<Problem> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("template.toml"), manifest).unwrap();
    fs::write(path.join("job.sh"), body).unwrap();
    check(&path)
}

/// The line of the good manifest that holds `text`, from 1.
fn line_of(text: &str) -> usize {
    GOOD.lines().position(|l| l.contains(text)).unwrap() + 1
}

#[test]
fn library_of_this_repository_should_have_no_problems() {
    assert_eq!(problems(GOOD, BODY), []);
    for template in library().iter() {
        assert_eq!(
            check(&library_path().join(template.name())),
            [],
            "{}",
            template.name()
        );
    }
}

#[test]
fn manifest_should_be_refused_with_line_and_remedy_when_something_is_wrong() {
    for (old, new, at, say) in [
        (
            "schema = 1",
            "schema = 2",
            "schema",
            "this program knows schema = 1",
        ),
        (
            "name = \"good\"",
            "name = \"Good\"",
            "name = \"good\"",
            "use small letters",
        ),
        (
            "name = \"good\"",
            "name = \"other\"",
            "name = \"good\"",
            "give both the same name",
        ),
        ("\"1.0.0\"", "\"1.0\"", "version", "write three numbers"),
        (
            "\"Nothing much\"",
            "\"\"",
            "summary",
            "say in at most 120 characters",
        ),
        (
            "type = \"integer\"",
            "type = \"integr\"",
            "count]",
            "give type = string, integer",
        ),
        ("title = \"Count\"", "", "count]", "people see it"),
        ("maximum = 9", "", "count]", "give minimum and maximum"),
        ("default = 3", "", "count]", "give it one of the two"),
        (
            "default = 3",
            "default = 12",
            "default = 3",
            "change the one or the other",
        ),
        (
            "cpus = { min = 1",
            "cpus = { min = 3",
            "cpus",
            "give 1 <= min <= default <= max",
        ),
        (
            "memory_mib = { min = 1",
            "memory_mib = { min = 0",
            "memory_mib",
            "give 1 <= min",
        ),
        (
            "name = \"a.dat\"",
            "name = \"../a\"",
            "a.dat",
            "use letters, digits",
        ),
        (
            "max_bytes = 10\n",
            "max_bytes = 0\n",
            "max_bytes = 10",
            "give the most bytes",
        ),
        (
            "path = \"out.txt\"",
            "path = \"../out.txt\"",
            "out.txt",
            "write it as name or folder/name",
        ),
        (
            "path = \"out.txt\"",
            "path = \"result.json\"",
            "out.txt",
            "choose another name",
        ),
        ("base_s = 1.0", "base_s = -1.0", "base_s", "give 0 or more"),
        (
            "factors = [\"count\"]",
            "factors = [\"cuont\"]",
            "factors",
            "name an integer or number parameter",
        ),
        (
            "base_s = 1.0",
            "base_s = 1.0\nspeed = 3",
            "base_s",
            "slurm-templates/README.md lists the fields",
        ),
        (
            "base_s = 1.0",
            "base_s = fast",
            "base_s",
            "correct this line",
        ),
    ] {
        let found = problems(&GOOD.replacen(old, new, 1), BODY);
        let problem = found
            .first()
            .unwrap_or_else(|| panic!("{new} was accepted"));
        assert_eq!(problem.file, "template.toml", "{new}: {problem}");
        assert!(problem.to_string().contains(say), "{new}: {problem}");
        let line = problem
            .line
            .unwrap_or_else(|| panic!("{new}: no line in {problem}"));
        let slack = usize::from(new.contains('\n'));
        assert!(
            (line_of(at)..=line_of(at) + slack).contains(&line),
            "{new}: {problem}"
        );
        assert!(problem.column.is_some(), "{new}: {problem}");
    }
}

#[test]
fn body_should_be_refused_with_its_line_when_it_is_dangerous_or_broken() {
    for (line, say) in [
        (
            "#SBATCH --account=root",
            "has a scheduler directive; remove it",
        ),
        ("  #PBS -l nodes=1", "has a scheduler directive"),
        (
            "echo $VE_PARAM_count",
            "uses VE_PARAM_count without quotes; write \"$VE_PARAM_count\"",
        ),
        ("echo \"a\"${VE_PARAM_count}\"b\"", "without quotes"),
        ("echo \"$VE_PARAM_size\"", "there is no parameter size"),
        ("eval \"$x\"", "uses eval; remove it"),
        ("if true; then", "the shell cannot read it"),
    ] {
        let found = problems(GOOD, &format!("{BODY}{line}\n"));
        let problem = found
            .first()
            .unwrap_or_else(|| panic!("{line} was accepted"));
        assert!(problem.to_string().contains(say), "{line}: {problem}");
        assert_eq!(problem.file, "job.sh");
        assert!(
            problem.line.is_some_and(|l| (4..=5).contains(&l)),
            "{line}: {problem}"
        );
    }
    for line in [
        "echo '$VE_PARAM_nothing'",
        "echo \"${VE_PARAM_count}\"",
        "# eval $VE_PARAM_x",
        "echo \\$VE_PARAM_x",
    ] {
        assert_eq!(problems(GOOD, &format!("{BODY}{line}\n")), [], "{line}");
    }
    assert!(problems(GOOD, "echo\n")[0]
        .to_string()
        .contains("begin with #!/bin/sh"));
}

#[test]
fn folder_should_be_refused_when_files_are_missing_linked_or_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good");
    assert!(!check(&path).is_empty(), "a folder that is not there");
    fs::create_dir(&path).unwrap();
    assert!(check(&path)[0]
        .to_string()
        .contains("template.toml: there is no such file"));
    fs::write(path.join("template.toml"), GOOD).unwrap();
    assert!(check(&path)[0]
        .to_string()
        .contains("job.sh: there is no such file"));
    fs::write(path.join("job.sh"), BODY).unwrap();
    assert_eq!(check(&path), []);

    std::os::unix::fs::symlink("/etc/passwd", path.join("data")).unwrap();
    assert!(check(&path)[0]
        .to_string()
        .contains("data: is neither a file nor a folder"));
    assert!(Template::load(&path).is_err());
    fs::remove_file(path.join("data")).unwrap();

    let big = fs::File::create(path.join("big")).unwrap();
    big.set_len(MAX_TEMPLATE_BYTES + 1).unwrap();
    assert!(check(&path)[0].to_string().contains("larger than 16 MiB"));
    fs::remove_file(path.join("big")).unwrap();

    let error = Library::open(folder.path()).map(|l| l.iter().count());
    assert_eq!(error, Ok(1));
    fs::write(path.join("job.sh"), "x").unwrap();
    let error = Library::open(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("good/job.sh:1: "), "{error}");
}

#[test]
fn hash_should_change_when_any_byte_or_name_does_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good");
    fs::create_dir(&path).unwrap();
    let hash = || Template::load(&path).unwrap().hash();
    fs::write(path.join("template.toml"), GOOD).unwrap();
    fs::write(path.join("job.sh"), BODY).unwrap();
    fs::write(path.join("data"), "12").unwrap();
    let first = hash();
    fs::create_dir(path.join("__pycache__")).unwrap();
    fs::write(path.join("__pycache__/x.pyc"), "y").unwrap();
    fs::write(path.join(".hidden"), "y").unwrap();
    assert_eq!(hash(), first);
    fs::write(path.join("data"), "13").unwrap();
    assert_ne!(hash(), first);
    fs::rename(path.join("data"), path.join("date")).unwrap();
    let renamed = hash();
    assert_ne!(renamed, first);
    fs::write(path.join("date"), "1").unwrap();
    fs::write(path.join("date2"), "3").unwrap();
    assert!(hash() != first && hash() != renamed);
}
