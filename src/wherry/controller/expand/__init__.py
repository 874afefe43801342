"""Expansion: claims that ask for more than they have."""
