"""What does a search cost beside its training, and what do two workers gain? On the quick grid of 138 points.

    python benchmarks/search_speed.py [ROUNDS]

One worker with one thread and two workers with one thread each take turns, each on an empty storage (SQLite in a
temporary folder); the ratio of their times within a round counts, as a median over rounds. The overhead is what one
worker spends beside the seconds that its records name: importing, loading images, evaluating, Optuna, writing records.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from labkit.experiments import search
from labkit.search import recorded

NAME = "14-hyperparameter-search"


def time_search(workers: int) -> tuple[float, float]:
    """Return the seconds that a whole search took, and those that its records name."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LABKIT_CACHE"] = folder
        env = os.environ | {"OMP_NUM_THREADS": "1", "LABKIT_PROGRESS": "0"}
        command = [sys.executable, "-m", "labkit", "search", NAME, "--budget", "quick", "--workers", str(workers)]
        began = time.perf_counter()
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
        took = time.perf_counter() - began
        runs = list(recorded(search(NAME), "quick"))
        assert len(runs) == len(search(NAME).points())
        return took, sum(run.seconds for run in runs)


def main(rounds: int) -> None:
    ratios, overheads = [], []
    for _ in range(rounds):
        alone, trained = time_search(1)
        both, _ = time_search(2)
        ratios.append(alone / both)
        overheads.append(alone / trained - 1)
        print(f"  one worker {alone:.0f} s, of which training {trained:.0f} s; two workers {both:.0f} s", flush=True)
    print(f"one worker / two workers: {statistics.median(ratios):.2f}   (wanted: at least 1.7)")
    print(f"overhead of the search: {statistics.median(overheads):.1%}   (wanted: at most 3 %)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
