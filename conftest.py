"""Settings of every test run: no progress bars in notebooks, figures without a screen, the quick budget."""

import os

os.environ["LABKIT_PROGRESS"] = "0"
os.environ["MPLBACKEND"] = "agg"
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
os.environ.pop("LABKIT_BUDGET", None)
for name in ("LABKIT_DATA", "LABKIT_CACHE", "LABKIT_RECORDS"):
    os.environ.pop(name, None)
