"""Run a notebook's cells in one namespace, then each solution; its check must say that it is right.

A process of its own for each notebook, as a student has: python -m tests.solutions NOTEBOOK
"""

import contextlib
import io
import os
import re
import sys
from pathlib import Path

from tests.reading import cells, source


def main(path: Path) -> None:
    os.chdir(path.parent)
    names, shown = {"__name__": "__main__"}, io.StringIO()
    with contextlib.redirect_stdout(shown):
        for cell in cells(path, "code"):
            if "%pip" not in source(cell):
                exec(source(cell), names)
    solutions = [
        block
        for cell in cells(path, "markdown")
        for part in re.findall(r"<summary>Solution</summary>(.*?)</details>", source(cell), flags=re.S)
        for block in re.findall(r"```python\n(.*?)```", part, flags=re.S)
    ]
    assert shown.getvalue().count("No answer yet") >= len(solutions) >= 3, f"{len(solutions)} solutions"
    for block in solutions:
        answer = io.StringIO()
        with contextlib.redirect_stdout(answer):
            exec(block, names)
        assert answer.getvalue().startswith("Right."), f"{block}\n{answer.getvalue()}"


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
