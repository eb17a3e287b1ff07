"""What can be asked: one file a kind of operation."""
