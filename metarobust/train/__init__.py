"""Meta-training: objectives, the loop, and exact resumption."""
