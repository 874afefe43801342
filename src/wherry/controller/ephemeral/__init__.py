"""Generic ephemeral volumes: a claim for each, which lives as long as its Pod."""
