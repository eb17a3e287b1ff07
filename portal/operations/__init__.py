"""What is being carried out."""
