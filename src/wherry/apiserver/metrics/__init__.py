"""Figures: `metrics.k8s.io`, made of what the kubelets tell, and the server's own `/metrics`."""
