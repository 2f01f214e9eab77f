"""How the tests did: what their last whole run and the last run of mutants left, as tables for the book.

`make test` and `make mutants` leave `_build/tests.json` and `_build/mutants.json`; authors keep both in
`data/tested.json` (`python -m labkit notebooks`). Not here: running them (workspace.py).
"""

import json
import re
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

from labkit.base.files import project_root, write_atomic

CAUGHT, SURVIVED, NO_TEST, SLOW, NOT_RUN = "caught", "survived", "no test", "too slow", "not run"
BY_EXIT = {1: CAUGHT, 3: CAUGHT, 0: SURVIVED, 5: NO_TEST, 33: NO_TEST}  # mutmut's exit codes
BY_EXIT |= dict.fromkeys((36, 24, -24, 152, 255), SLOW) | dict.fromkeys((-11, -9), CAUGHT)  # a crash is noticed
ENOUGH = 0.9  # share of the mutants that tests have to notice


def keep() -> None:
    """Keep what the last runs left; a part that has not run since stays as it was."""
    path = project_root() / "data" / "tested.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for part in ("tests", "mutants"):
        made = project_root() / "_build" / f"{part}.json"
        if made.is_file():
            known[part] = json.loads(made.read_text(encoding="utf-8"))
    write_atomic(path, (json.dumps(known, indent=1) + "\n").encode())


def mutants(folder: Path, why: Path) -> dict:
    """Return how mutmut's mutants ended, from the files that it leaves beside each mutated module.

    Args:
        folder: mutmut's "mutants".
        why: the file of `reasons`.

    Returns:
        "modules": for each module how many ended in which way; "survivors": for each function with mutants that no
        test noticed, their number and the reason, None where there is none.
    """
    modules, missed = {}, Counter()
    for path in sorted(folder.glob("labkit/**/*.meta")):
        ends = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        if not ends:
            continue
        module = path.relative_to(folder).with_suffix("").with_suffix("").as_posix().replace("/", ".")
        modules[module] = dict(Counter(_end(code) for code in ends.values()))
        missed.update(_function(name) for name, code in ends.items() if _end(code) in (SURVIVED, NO_TEST))
    whys = reasons(why)
    survivors = [
        {"function": name, "number": number, "why": _why(name, whys)} for name, number in sorted(missed.items())
    ]
    return {"modules": modules, "survivors": survivors}


def reasons(path: Path) -> list[tuple[str, list[str]]]:
    """Return why some mutants may survive: each reason with the patterns of the functions that it holds for."""
    return [(one["why"], one["functions"]) for one in tomllib.loads(path.read_text(encoding="utf-8"))["reason"]]


def _end(code: int | None) -> str:
    return NOT_RUN if code is None else BY_EXIT.get(code, SURVIVED)


def _function(name: str) -> str:
    """Return the function of a mutant as it stands in the code, such as labkit.records.claims.Claim.decide.

    >>> _function("labkit.records.claims.xǁClaimǁdecide__mutmut_3"), _function("labkit.records.whole.x_sums__mutmut_14")
    ('labkit.records.claims.Claim.decide', 'labkit.records.whole.sums')
    """
    name = re.sub(r"__mutmut_\d+$", "", name)
    return re.sub(r"\.x_(?=\w)", ".", re.sub(r"\.xǁ(\w+?)ǁ", r".\1.", name))


def _why(name: str, whys: list[tuple[str, list[str]]]) -> str | None:
    return next((why for why, functions in whys if any(fnmatchcase(name, one) for one in functions)), None)


def share_caught(modules: dict[str, dict[str, int]]) -> float:
    """Return the share of the mutants that were run which tests noticed, or waited for in vain."""
    ends = sum((Counter(ends) for ends in modules.values()), Counter())
    return (ends[CAUGHT] + ends[SLOW]) / max(1, ends.total() - ends[NOT_RUN])


def problems(found: dict) -> list[str]:
    """Return one sentence for each thing that is not as it should be; none means that the mutants hold."""
    ends = sum((Counter(ends) for ends in found["modules"].values()), Counter())
    said = []
    if ends[NOT_RUN] or not ends:
        said.append(f"{ends[NOT_RUN]:,} of {ends.total():,} mutants were not run.")
    if (share := share_caught(found["modules"])) < ENOUGH:
        said.append(f"Tests notice {share:.1%} of the mutants; {ENOUGH:.0%} are wanted.")
    loose = [f"{one['function']} ({one['number']})" for one in found["survivors"] if not one["why"]]
    if loose:
        said.append(f"tests/survivors.toml gives no reason for those left in {', '.join(loose)}.")
    return said


# -- the book's page ---------------------------------------------------------------------------------------------------


def last() -> dict:
    """Return what is kept of the last runs: "tests" and "mutants", each where it has run."""
    return json.loads((project_root() / "data" / "tested.json").read_text(encoding="utf-8"))


def compared() -> tuple[int, int]:
    """Return how many outputs of the notebooks are compared, and how many there are."""
    seen = []
    for path in (project_root() / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tags = [cell["metadata"].get("tags", []) for cell in cells if cell.get("outputs")]
        seen += ["nbval-check-output" in one for one in tags]
    return sum(seen), len(seen)


def run_lines() -> str:
    """Return, in Markdown, how the last whole run of the tests went."""
    run = last().get("tests")
    if not run:
        return "No whole run is kept yet."
    counted, outcomes, (same, outputs) = run["counted"], run["outcomes"], compared()
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in run["kinds"].items())
    lines = [
        f"{outcomes['passed']:,} passed, {outcomes['failed'] + outcomes['error']} failed, {outcomes['skipped']} were "
        f"left out, in {run['minutes']} minutes on {run['processor']}: {kinds}.",
        f"{counted.get('kills', 0)} processes were killed or told to stop while they worked, and what they had begun "
        "was finished by another.",
        f"{counted.get('refusals', 0):,} times something that cannot be was tried and had to be refused.",
        f"{same} of the {outputs} outputs of the notebooks are compared with the stored ones; the others hold times, "
        "or numbers of the quick run, which differ from machine to machine.",
        f"Python {run['python']}; " + ", ".join(f"{name} {number}" for name, number in run["versions"].items()) + ".",
    ]
    lines += [f"Left out: {reason}" for reason in run["skipped"]]
    return "\n".join(f"- {line}" for line in lines)


def mutant_table() -> str:
    """Return, in Markdown, a row a module: how many mutants it had, how many ran, and which share tests noticed."""
    modules = last()["mutants"]["modules"]
    rows = ["| module | mutants | run | noticed |", "|---|---:|---:|---:|"]
    for name, ends in modules.items():
        rows.append(_row(f"`{name.removeprefix('labkit.')}`", {name: ends}))
    return "\n".join([*rows, _row("all", modules)])


def _row(name: str, modules: dict[str, dict[str, int]]) -> str:
    made = sum(sum(ends.values()) for ends in modules.values())
    run = made - sum(ends.get(NOT_RUN, 0) for ends in modules.values())
    return f"| {name} | {made:,} | {run:,} | {f'{share_caught(modules):.1%}' if run else 'not run'} |"


def survivor_table() -> str:
    """Return, in Markdown, a row a reason: where mutants are left that no test noticed, and how many."""
    by_reason: dict[str, Counter] = {}
    for one in last()["mutants"]["survivors"]:
        by_reason.setdefault(one["why"] or "not looked at yet", Counter())[one["function"]] += one["number"]
    rows = ["| why | mutants | where |", "|---|---:|---|"]
    for why, where in sorted(by_reason.items(), key=lambda pair: -pair[1].total()):
        names = ", ".join(f"`{name.removeprefix('labkit.')}` {number}" for name, number in where.items())
        rows.append(f"| {why} | {where.total()} | {names} |")
    return "\n".join(rows)


def main() -> int:
    """Write down how the mutants ended, and print what is not as it should be; return 1 where anything is not."""
    root = project_root()
    found = mutants(root / "_build" / "mutants" / "mutants", root / "tests" / "survivors.toml")
    write_atomic(root / "_build" / "mutants.json", (json.dumps(found, indent=1) + "\n").encode())
    said = problems(found)
    print("\n".join(said or [f"Tests notice {share_caught(found['modules']):.1%} of the mutants."]))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
