"""The aggregation layer (kube-aggregator): APIs that other servers serve, made part of this one by APIServices.

https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
"""
