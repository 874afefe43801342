"""Pod garbage collection: Pods that no kubelet will ever end."""
