"""What exists at ITCare, as last read."""
