"""Taint eviction: Pods leave nodes whose NoExecute taints they do not tolerate."""
