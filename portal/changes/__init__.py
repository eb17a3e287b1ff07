"""Who asks, and who agrees."""
