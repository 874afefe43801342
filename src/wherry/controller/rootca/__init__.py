"""The cluster's CA certificate, in every namespace."""
