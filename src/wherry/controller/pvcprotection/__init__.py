"""PVC protection: a claim that a Pod uses stays until the Pod is gone."""
