"""Images in memory and batches of them: the bundled set, downloads, folders of photographs, augmentation.

Not here: networks and their training. Read images.py first, then chosen.py: what a run trains on.
"""
