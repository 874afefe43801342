"""The rows of the table of resources, one module a group (`registry.py` puts them together)."""
