"""Writes, one module per kind. Each turns a checked body into an Order or refuses it."""
