"""ResourceClaims: made from templates for Pods, and free again when their users have ended."""
