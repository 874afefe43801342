"""Jobs: Pods that run to completion, counted exactly once."""
