"""Searches: a grid or a sampler, its queue of points, the storage that workers share.

Not here: which searches there are (catalogue). Read grid.py first, then queue.py.
"""
