"""Figures: the house style, panels, one module for each family of figures, and their registry."""
