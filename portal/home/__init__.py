"""Pages across packages, and the processes that list every package's jobs."""
