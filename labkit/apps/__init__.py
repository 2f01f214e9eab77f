"""What people start: the command line, your photographs, competition, exercises, the workspace, authoring.

Not here: anything that another package needs. Read cli.py first; workspace.py runs on a bare Python.
"""
