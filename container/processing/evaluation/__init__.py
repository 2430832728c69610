"""Evaluation: exact measures of the three tasks over any number of rows, and what is told around them."""
