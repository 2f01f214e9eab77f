"""Sizes, parameters, memory and multiply-adds, worked out from layers, by hand and audited.

Not here: anything that runs a network; nothing here imports torch. Read sizes.py first, then layers.py.
"""
