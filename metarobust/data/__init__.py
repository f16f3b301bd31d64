"""Data sets of many classes and the sampler that draws episodes from them."""
