"""Plan, run, store and check the cells of an audit."""
