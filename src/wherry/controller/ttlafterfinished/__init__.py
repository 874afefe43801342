"""TTL after finished: Jobs that clean up after themselves."""
