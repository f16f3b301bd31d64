"""Embedding networks whose normalisation statistics are an argument."""
