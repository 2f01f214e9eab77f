"""What a trained network has learned: predictions, confusions, planes of its layers, transfer, its summary.

Not here: training itself, figures (plots). Read predictions.py first.
"""
