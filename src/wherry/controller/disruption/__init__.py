"""Disruption: how many Pods of a PodDisruptionBudget may be evicted now."""
