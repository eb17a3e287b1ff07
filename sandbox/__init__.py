"""A stand-in ITCare: the part of its API that PostgreSQL needs, over HTTP, with made-up data and faults on demand."""
