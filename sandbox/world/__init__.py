"""What exists in the stand-in ITCare, and how it comes to be."""
