"""From names in a configuration to live data sets, learners and threats."""
