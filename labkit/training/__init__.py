"""How a network is trained: the recipe, the one loop, and what stands beside it.

Not here: networks (models), and which of them a lab trains (catalogue). Read loop.py first.
"""
