"""The kubelet's own HTTP API: logs, Pods, statistics, health; exec, attach and port-forward."""
