"""StatefulSets: Pods with names, order and volumes that stay."""
