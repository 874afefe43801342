"""ReplicaSets: as many Pods as `spec.replicas`."""
