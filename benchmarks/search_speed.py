"""What does a search cost beside its training, and what do two workers gain? On the quick grid of 138 points.

    python benchmarks/search_speed.py [ROUNDS]

Three contenders take turns, each in processes of its own with an empty cache: a plain loop that trains the 138 points
one after the other without any study, one worker, and two workers; all with one thread a process. Ratios are taken
within a round, and their medians count. The overhead of the search is what one worker takes longer than the loop.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from labkit.catalogue.index import search
from labkit.search.grid import recorded

NAME = "14-hyperparameter-search"
LOOP = f"""
from labkit.catalogue import index
from labkit.search import queue
grid = index.search({NAME!r})
for point in grid.points():
    queue.repeat(grid, point, "quick", seeds=[0])
"""


def time_command(*command: str) -> float:
    """Return the seconds that a command took to train all points of the grid."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LABKIT_CACHE"] = folder  # for the records that are read below, too
        env = os.environ | {"OMP_NUM_THREADS": "1", "LABKIT_PROGRESS": "0"}
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, env=env, stdout=subprocess.DEVNULL)
        took = time.perf_counter() - began
        assert len(list(recorded(search(NAME), "quick"))) == len(search(NAME).points())
    return took


def time_search(workers: int) -> float:
    """Return the seconds of the command that a student types."""
    return time_command("-m", "labkit", "search", NAME, "--budget", "quick", "--workers", str(workers))


def main(rounds: int) -> None:
    gains, overheads = [], []
    for _ in range(rounds):
        loop, alone, both = time_command("-c", LOOP), time_search(1), time_search(2)
        gains.append(alone / both)
        overheads.append(alone / loop - 1)
        print(f"  plain loop {loop:.0f} s, one worker {alone:.0f} s, two workers {both:.0f} s", flush=True)
    print(f"one worker / two workers: {statistics.median(gains):.2f}   (wanted: at least 1.7)")
    print(f"overhead of the search: {statistics.median(overheads):.1%}   (wanted: at most 3 %)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
