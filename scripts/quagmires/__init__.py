"""The library, in rooms. Imports go up this list only (`make lint` checks it):

common, config, grading, data, training, evaluation, prediction, planning, reporting;
simulation stands beside reporting.
CONTRIBUTING.md has the map, and says which room a new thing belongs to.
"""
