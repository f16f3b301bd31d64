"""The ground floor: seeds, registries, errors, digests, episodes, and the engine over them."""
