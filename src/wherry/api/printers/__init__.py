"""Printers: the Table rows that kubectl shows, one module a kind or family."""
