"""People, teams, and what their roles allow."""
