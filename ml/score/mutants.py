#!/usr/bin/env python3
"""Which changes of the scorer do its tests not notice?

Every operator, number and rule of the scorer's sources is changed once. All changed copies go into one scratch crate, each
as a module with a copy of the tests of `tests/score`, so that one build is enough for all of them; a mutant that passes
its tests survives. Usage: mutants.py SCRATCH, a folder that may be overwritten. CARGO names the cargo to use. Writes
`mutants.txt` beside this file.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = ["band.rs", "points.rs", "rules.rs", "scopes.rs", "weights.rs", "lib.rs"]
SHARED = ["features.rs", "reasons.rs"]
# Property tests are left out: they would take minutes for each mutant. So a survivor here is one of the tables' tests.
TESTS = ["truth.rs", "weights.rs", "known_answers.rs"]

CONTROL = "(no change)"
CHANGES = [
    (r" == ", [" != "]),
    (r" != ", [" == "]),
    (r" < ", [" <= ", " > "]),
    (r" <= ", [" < ", " > "]),
    (r" > ", [" >= ", " < "]),
    (r" >= ", [" > ", " < "]),
    (r" && ", [" || "]),
    (r" \|\| ", [" && "]),
    (r" \+ ", [" - "]),
    (r" - ", [" + "]),
    (r" \* ", [" + "]),
    (r" / ", [" * "]),
    (r" & !", [" & ", " | !"]),
    (r" & ", [" | "]),
    (r" \| ", [" & "]),
    (r"(?<=[ (,])!(?=[a-z(])", [""]),
    (r"\.\.=", [".."]),
    (r"\.min\(", [".max("]),
    (r"\.all\(", [".any("]),
    (r"(?<![\w.\"#])\d+(?![\w\"])", [None]),
]
# Changes that no test can notice, and why.
EQUIVALENT = {
    ".unwrap_or(101);": "without a cap the score is limited to 100 in the next statement",
    ".min(101) as u8;": "the line before already limits it to 100: no cap may be higher, and without one it is 100",
}


def body(name):
    """Source without its own tests, and the lines that are not worth changing."""
    text = (HERE / "src" / name).read_text()
    lines = text.split("\n")
    skip, table = set(), False
    for i, line in enumerate(lines):
        table = table or line.startswith(("weights! {", "macro_rules!"))
        plain = line.strip()
        if table or plain.startswith(("//", "#", "use ", "write!(", "Self::", "extern")) or "with_capacity" in plain:
            skip.add(i)
        # A reason or a name in quotes is not code.
        if '"' in plain and "=>" in plain and not re.search(r"\d", plain):
            skip.add(i)
        if table and line == "}":
            table = False
    return lines, skip


def mutants(name):
    lines, skip = body(name)
    for i, line in enumerate(lines):
        if i in skip:
            continue
        quoted = [m.span() for m in re.finditer(r'"[^"]*"', line)]
        for pattern, changes in CHANGES:
            for match in re.finditer(pattern, line):
                if any(a <= match.start() < b for a, b in quoted):
                    continue
                for change in changes:
                    change = str(int(match.group()) + 1) if change is None else change
                    changed = line[: match.start()] + change + line[match.end() :]
                    yield i, line, changed, lines[:i] + [changed] + lines[i + 1 :]
    # Statements that give points or set limits, left out one by one.
    text = "\n".join(lines)
    for match in re.finditer(r"^ +(?:cap|when|line)\([^;]*\);$", text, re.M):
        i = text[: match.start()].count("\n")
        first = match.group().strip().split("\n")
        yield i, " ".join(s.strip() for s in first), "", (text[: match.start()] + text[match.end() :]).split("\n")


def control(name):
    """The first copy has no change and must pass: were a test broken by being copied, it would notice everything."""
    if name == SOURCES[0]:
        yield 0, CONTROL, CONTROL, body(name)[0]


def module(name, text):
    text = text.replace("crate::", f"crate::{name}::").replace("#![no_std]", "").replace("extern crate alloc;", "")
    return re.sub(r"^//!.*$", "", text, flags=re.M)


def main():
    scratch = pathlib.Path(sys.argv[1])
    shutil.rmtree(scratch / "src", ignore_errors=True)
    (scratch / "src").mkdir(parents=True)
    root = ["#![allow(warnings)]", "extern crate alloc;", "pub mod features;", "pub mod reasons;"]
    for file in SHARED:
        shutil.copy(HERE / "src" / file, scratch / "src" / file)
    known = []
    for file in SOURCES:
        for i, before, after, lines in [*control(file), *mutants(file)]:
            name = f"m{len(known):03}"
            known.append((name, file, i + 1, before.strip(), after.strip()))
            folder = scratch / "src" / name
            folder.mkdir()
            for source in SOURCES + ["sample.rs"]:
                text = "\n".join(lines) if source == file else (HERE / "src" / source).read_text()
                target = "mod.rs" if source == "lib.rs" else source
                text = module(name, text)
                if source == "lib.rs":
                    text = text.replace("pub mod features;", "pub use crate::features;")
                    text = text.replace("pub mod reasons;", "pub use crate::reasons;") + "\n#[cfg(test)]\nmod score;\n"
                (folder / target).write_text(text)
            (folder / "score").mkdir()
            for test in TESTS + ["main.rs"]:
                text = (HERE / "tests/score" / test).read_text()
                text = re.sub(r"^proptest! \{.*?^\}$", "", text, flags=re.S | re.M).replace("use proptest::prelude::*;", "")
                text = text.replace("mod monotone;", "").replace("ve_ml_score::", f"crate::{name}::")
                text = text.replace("crate::{genuine", f"crate::{name}::score::{{genuine")
                text = re.sub(r"use crate::(shipped|weights);", rf"use crate::{name}::score::\1;", text)
                text = text.replace('env!("CARGO_MANIFEST_DIR")', f'"{HERE}"')
                (folder / "score" / ("mod.rs" if test == "main.rs" else test)).write_text(re.sub(r"^//!.*$", "", text, flags=re.M))
            root.append(f"mod {name};")
    (scratch / "src/lib.rs").write_text("\n".join(root) + "\n")
    (scratch / "Cargo.toml").write_text(
        '[package]\nname = "mutants"\nversion = "0.0.0"\nedition = "2021"\n[dev-dependencies]\nsha2 = "0.10"\ntoml = "0.9"\n'
        "[workspace]\n[profile.dev]\ndebug = 0\nincremental = false\n[profile.test]\nopt-level = 0\n"
    )
    shutil.copy(HERE.parent.parent / "Cargo.lock", scratch / "Cargo.lock")
    build = [os.environ.get("CARGO", "cargo"), "test", "--offline", "--no-run", "--message-format=short"]
    built = subprocess.run(build, cwd=scratch, capture_output=True, text=True)
    # A mutant that does not compile is killed by the compiler; it is taken out, and the rest is built again.
    while built.returncode != 0:
        broken = set(re.findall(r"src/(m\d{3})/", built.stderr))
        if not broken:
            sys.exit(built.stderr[-4000:])
        root = [line for line in root if line[4:8] not in broken]
        (scratch / "src/lib.rs").write_text("\n".join(root) + "\n")
        built = subprocess.run(build, cwd=scratch, capture_output=True, text=True)
    binary = re.search(r"\(([^()]*deps/mutants-[0-9a-f]+)\)", built.stderr).group(1)
    binary = binary if os.path.isabs(binary) else str(scratch / binary)
    survivors = []
    for mutant in known:
        if f"mod {mutant[0]};" not in root:
            continue
        try:
            tests = subprocess.run([binary, f"{mutant[0]}::score::"], capture_output=True, text=True, timeout=60)
            passed = re.search(r"test result: ok. (\d+) passed", tests.stdout)
        except subprocess.TimeoutExpired:
            passed = None
        if passed and int(passed.group(1)) > 0:
            survivors.append(mutant)
    if not survivors or survivors[0] != known[0]:
        sys.exit(f"the tests fail in a copy without a change: run {binary} {known[0][0]}::score::")
    known, survivors = known[1:], survivors[1:]
    compiled = sum(f"mod {m[0]};" in root for m in known)
    report = [
        "Changes of the scorer that its table tests do not notice: each is one change of one line.",
        "Found by: python3 ml/score/mutants.py SCRATCH",
        f"{len(known)} mutants, {len(known) - compiled} do not compile, {compiled - len(survivors)} are noticed, {len(survivors)} survive.",
        "",
    ]
    for _, file, line, before, after in survivors:
        report += [f"src/{file}:{line}", f"  - {before}", f"  + {after or '(left out)'}"]
        report += [f"  equivalent: {why}" for end, why in EQUIVALENT.items() if after.endswith(end)]
    (HERE / "mutants.txt").write_text("\n".join(report) + "\n")
    print("\n".join(report))


if __name__ == "__main__":
    main()
