"""A stand-in ITCare: the part of its API that PostgreSQL needs, over HTTP, with believable data and faults on demand."""
