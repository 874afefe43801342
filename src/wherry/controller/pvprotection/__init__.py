"""PV protection: a volume that a claim is bound to stays until the claim is gone."""
