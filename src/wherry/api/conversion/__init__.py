"""Converters between served versions and the hub, pure and without loss, one module a kind."""
