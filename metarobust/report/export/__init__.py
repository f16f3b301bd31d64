"""A run handed over to experiment trackers and to the Hugging Face hub, after it was saved."""
