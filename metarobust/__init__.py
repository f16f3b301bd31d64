"""metarobust: what noise, mislabelling, poisoning and attacks do to few-shot learners."""

__version__ = "0.1.0"
