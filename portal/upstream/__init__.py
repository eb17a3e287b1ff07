"""The connection to ITCare that all processes share: its client, access token and pause."""
