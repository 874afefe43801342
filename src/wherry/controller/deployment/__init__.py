"""Deployments: one ReplicaSet a revision, and rolling from one to the next."""
