"""The ground: errors, files, tables, checks of arguments. Every other package stands on it.

Not here: anything about images, networks or runs. Read errors.py first, or nothing: it is ground.
"""
