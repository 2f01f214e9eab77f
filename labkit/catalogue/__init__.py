"""What each lab trains and why so, one file a lab; and each source coursework as a whole.

Not here: how a lab is run (experiments). Read the file of the lab that you are at.
"""
