"""The node agent: brings the Pods bound to its node to life and tells how they do.

It knows a `Runtime`, a client of the Kubernetes API and a clock; `kubelet.py` puts the parts together.
"""
