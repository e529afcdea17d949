#!/usr/bin/env python3
"""Which changes of code that decides about a person do its tests not notice?

Every operator, number and rule of the sources named below is changed once. All changed copies go into one scratch crate,
each as a module with a copy of the tests, so that one build is enough for all of them; a mutant that passes its tests
survives. Usage: mutants.py score|mrz SCRATCH, a folder that may be overwritten. CARGO names the cargo to use. Writes
`mutants.txt` into the folder of the crate.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ML = pathlib.Path(__file__).resolve().parent


class Part:
    """A crate's folder of sources, with the root of its modules; `mutated` files are changed, `shared` ones are the same in
    every copy, unless they are changed themselves. Property tests are left out: they would take minutes for each mutant.
    So a survivor is one of the other tests. `equivalent` are changes that no test can notice, by their ends, and why."""

    def __init__(self, crate, what, sources, root, mutated, shared, tests, equivalent):
        self.here = ML / crate
        self.crate, self.what, self.root, self.mutated, self.shared, self.tests = crate, what, root, mutated, shared, tests
        self.equivalent = equivalent
        self.sources = self.here / sources
        self.files = sorted(file.name for file in self.sources.glob("*.rs"))


PARTS = {
    "score": Part(
        "score",
        "the scorer",
        "src",
        "lib.rs",
        ["band.rs", "points.rs", "rules.rs", "scopes.rs", "weights.rs", "lib.rs"],
        ["features.rs", "reasons.rs"],
        ["truth.rs", "weights.rs", "known_answers.rs"],
        {
            ".unwrap_or(101);": "without a cap the score is limited to 100 in the next statement",
            ".min(101) as u8;": "the line before already limits it to 100: no cap may be higher, and without one it is 100",
        },
    ),
    "mrz": Part(
        "mrz",
        "check digits, their places and the repair by them",
        "src/text",
        "mod.rs",
        ["check.rs", "repair.rs", "format.rs", "symbol.rs"],
        ["symbol.rs", "date.rs", "name.rs", "reason.rs", "states.rs"],
        ["known.rs", "places.rs", "repair.rs"],
        {
            "(o, 2))": "other readings of a text all cost the same, whatever that is",
            "more - 2,": "there are 2 changes more at most, and 0 are handled as 1: the next one is the last",
            " 1..0],": "as empty as 0..0",
        },
    ),
}

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
    # Numbers, ends of ranges too, but no fields of tuples.
    (r"(?<![\w\"#])(?<!(?<!\.)\.)\d+(?![\w\"])", [None]),
]


def body(part, name):
    """A source, and the lines that are not worth changing."""
    text = (part.sources / name).read_text()
    lines = text.split("\n")
    skip, table, tests = set(), False, False
    for i, line in enumerate(lines):
        table = table or line.startswith(("weights! {", "macro_rules!"))
        tests = tests or line == "#[cfg(test)]"
        plain = line.strip()
        if table or tests or plain.startswith(("//", "#", "use ", "write!(", "extern")) or "with_capacity" in plain:
            skip.add(i)
        # A reason or a name in quotes is not code.
        if '"' in plain and "=>" in plain and not re.search(r"\d", plain):
            skip.add(i)
        if table and line == "}":
            table = False
    return lines, skip


def mutants(part, name):
    lines, skip = body(part, name)
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


def control(part, name):
    """The first copy has no change and must pass: were a test broken by being copied, it would notice everything."""
    if name == part.mutated[0]:
        yield 0, CONTROL, CONTROL, body(part, name)[0]


def module(name, text):
    text = text.replace("crate::", f"crate::{name}::").replace("#![no_std]", "").replace("extern crate alloc;", "")
    return re.sub(r"^//!.*$", "", text, flags=re.M)


def write(part, folder, name, changed, lines):
    """A copy of the sources and the tests, in which one file has other lines."""
    linked = [] if changed in part.shared else part.shared
    for source in set(part.files) - set(linked):
        text = "\n".join(lines) if source == changed else (part.sources / source).read_text()
        text = module(name, text)
        if source == part.root:
            for file in linked:
                shared = file.removesuffix(".rs")
                text = re.sub(rf"^(pub )?mod {shared};", rf"pub use crate::{shared};", text, flags=re.M)
            text += f"\n#[cfg(test)]\nmod {part.crate};\n"
        (folder / ("mod.rs" if source == part.root else source)).write_text(text)
    tests = folder / part.crate
    tests.mkdir()
    for test in part.tests + ["main.rs"]:
        text = (part.here / "tests" / part.crate / test).read_text()
        text = re.sub(r"^proptest! \{.*?^\}$", "", text, flags=re.S | re.M).replace("use proptest::prelude::*;", "")
        text = re.sub(r"^mod (\w+);$", lambda m: m.group() if m.group(1) + ".rs" in part.tests else "", text, flags=re.M)
        text = re.sub(r"\bcrate::", f"crate::{name}::{part.crate}::", text)
        text = text.replace(f"ve_ml_{part.crate}::" + ("text::" if part.root == "mod.rs" else ""), f"crate::{name}::")
        text = text.replace('env!("CARGO_MANIFEST_DIR")', f'"{part.here}"')
        (tests / ("mod.rs" if test == "main.rs" else test)).write_text(re.sub(r"^//!.*$", "", text, flags=re.M))


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: mutants.py {'|'.join(PARTS)} SCRATCH")
    part, scratch = PARTS[sys.argv[1]], pathlib.Path(sys.argv[2])
    shutil.rmtree(scratch / "src", ignore_errors=True)
    (scratch / "src").mkdir(parents=True)
    root = ["#![allow(warnings)]", "extern crate alloc;"]
    for file in part.shared:
        shutil.copy(part.sources / file, scratch / "src" / file)
        root += [f"pub mod {file.removesuffix('.rs')};", f"pub use {file.removesuffix('.rs')}::*;"]
    known = []
    for file in part.mutated:
        for i, before, after, lines in [*control(part, file), *mutants(part, file)]:
            name = f"m{len(known):03}"
            known.append((name, file, i + 1, before.strip(), after.strip()))
            (scratch / "src" / name).mkdir()
            write(part, scratch / "src" / name, name, file, lines)
            root.append(f"mod {name};")
    (scratch / "src/lib.rs").write_text("\n".join(root) + "\n")
    (scratch / "Cargo.toml").write_text(
        '[package]\nname = "mutants"\nversion = "0.0.0"\nedition = "2021"\n[dev-dependencies]\nsha2 = "0.10"\ntoml = "0.9"\n'
        "[workspace]\n[profile.dev]\ndebug = 0\nincremental = false\n[profile.test]\nopt-level = 0\n"
    )
    shutil.copy(ML.parent / "Cargo.lock", scratch / "Cargo.lock")
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
            tests = subprocess.run([binary, f"{mutant[0]}::"], capture_output=True, text=True, timeout=60)
            passed = re.search(r"test result: ok. (\d+) passed", tests.stdout)
        except subprocess.TimeoutExpired:
            passed = None
        if passed and int(passed.group(1)) > 0:
            survivors.append(mutant)
    if not survivors or survivors[0] != known[0]:
        sys.exit(f"the tests fail in a copy without a change: run {binary} {known[0][0]}::")
    known, survivors = known[1:], survivors[1:]
    compiled = sum(f"mod {m[0]};" in root for m in known)
    report = [
        f"Changes of {part.what} that the tests do not notice, property tests apart: each is one change of one line.",
        f"Found by: python3 ml/mutants.py {part.crate} SCRATCH",
        f"{len(known)} mutants, {len(known) - compiled} do not compile, {compiled - len(survivors)} are noticed, {len(survivors)} survive.",
        "",
    ]
    for _, file, line, before, after in survivors:
        report += [f"{part.sources.relative_to(part.here)}/{file}:{line}", f"  - {before}", f"  + {after or '(left out)'}"]
        report += [f"  equivalent: {why}" for end, why in part.equivalent.items() if after.endswith(end)]
    (part.here / "mutants.txt").write_text("\n".join(report) + "\n")
    print("\n".join(report))


if __name__ == "__main__":
    main()
