"""The record of each run, its metrics, statistics over seeds, and the verdicts on what the sources say.

Not here: how a run comes about; nothing here imports torch. Read ledger.py first, then statistics.py.
"""
