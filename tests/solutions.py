"""Run what a notebook's solutions need of it, then each solution; its check and its exercise's must say "Right.".

A process of its own for each notebook, as a student has: python -m tests.solutions NOTEBOOK
"""

import ast
import contextlib
import io
import os
import re
import sys
from pathlib import Path

from tests.reading import cells, source

PART = re.compile(r"<summary>Solution</summary>(.*?)</details>", flags=re.S)
BLOCK = re.compile(r"```python\n(.*?)```", flags=re.S)


def pairs(path: Path):
    """Yield each solution's code with that of the cell whose question it answers: the last one before it."""
    asked = ""
    for cell in cells(path):
        if cell["cell_type"] == "code":
            asked = source(cell)
        for part in PART.findall(source(cell) if cell["cell_type"] == "markdown" else ""):
            yield "".join(BLOCK.findall(part)), asked


def needed(path: Path, solutions: list[str]) -> list[str]:
    """Return the code cells that solutions build on, in their order: those that set, or train, what they use."""
    wanted, kept = set().union(*map(used, solutions)), []
    for code in reversed([source(cell) for cell in cells(path, "code")]):
        sets = set().union(*map(names, ast.parse(code).body))
        trains = re.search(r"\b(fit|train|backward|step)\(", code) and used(code) & wanted
        if "labkit.check(" in code or sets & wanted or trains:
            kept.insert(0, code)
            wanted |= used(code)
    return kept


def used(code: str) -> set[str]:
    return {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def without(code: str, given: str) -> str:
    """Return code without the statements that set what the given code sets: its empty answers."""
    sets = {name for statement in ast.parse(given).body for name in names(statement)}
    return "\n".join(ast.unparse(one) for one in ast.parse(code).body if not names(one) & sets)


def names(statement) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def said(code: str, names: dict) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        exec(code, names)
    return shown.getvalue()


def main(path: Path) -> None:
    os.chdir(path.parent)
    names = {"__name__": "__main__"}
    solutions = [(solution, asked) for solution, asked in pairs(path) if solution]
    shown = "".join(said(code, names) for code in needed(path, [solution for solution, _ in solutions]))
    assert shown.count("No answer yet") >= len(solutions) >= 3, f"{len(solutions)} solutions"
    for solution, asked in solutions:
        for code in (solution, without(asked, solution)):
            assert "labkit.check(" in code, f"nothing is checked:\n{code}"
            answer = said(code, names)
            assert answer.startswith("Right."), f"{code}\n{answer}"


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
