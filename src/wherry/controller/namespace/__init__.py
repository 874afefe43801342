"""Namespaces: empties those that are being deleted."""
