"""Training: what features.json promises, a split in batches, two boosting libraries behind one interface."""
