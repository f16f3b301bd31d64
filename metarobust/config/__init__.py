"""Frozen models of every YAML file, read strictly."""
