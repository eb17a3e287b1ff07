"""What each address answers, one module per area of the API."""
