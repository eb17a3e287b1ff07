"""Records as the API tells them: the fields of `openapi.yaml`, dates and derived values included."""
