"""The progress bar of a training: shown in a terminal or a notebook, and never in a stored one."""

import os
import warnings

from tqdm import TqdmWarning, tqdm


def shows_progress(progress: bool | None) -> bool:
    """Tell whether the progress of a training may be shown at all."""
    return progress is not False and os.environ.get("LABKIT_PROGRESS") != "0"


def progress_bar(title: str, images: int, progress: bool | None) -> tqdm:
    """Return a bar over images; `LABKIT_PROGRESS=0` turns all of them off (stored notebooks need that).

    Args:
        title: stands before the bar.
        images: how many there are in all.
        progress: True shows the bar, False none, None only on a terminal.
    """
    kind, disable = tqdm, not shows_progress(progress) or None  # None: tqdm itself asks for a terminal
    if progress and not disable:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TqdmWarning)  # without ipywidgets the bar is text: good enough
            from tqdm.auto import tqdm as kind
        disable = False
    return kind(total=images, desc=title, unit=" images", leave=False, disable=disable)
