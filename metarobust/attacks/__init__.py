"""Attack engines: maximisers that know nothing of episodes."""
