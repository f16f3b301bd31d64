"""Scores as pure functions of logits and labels (numpy only)."""
