"""The mathematics of threats: norms, projections, losses and budgets."""
