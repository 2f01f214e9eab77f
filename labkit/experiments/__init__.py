"""What a lab is: its arms, its budgets; one executor of runs; what they cost.

Not here: which labs there are (catalogue), searches (search). Read design.py first, then execute.py.
"""
