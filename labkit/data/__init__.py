"""Images in memory and batches of them: the bundled set, downloads, folders of photographs, augmentation.

Not here: what a run trains on (experiments). Read images.py first.
"""
