"""How a model learns from a support set: one file a method."""
