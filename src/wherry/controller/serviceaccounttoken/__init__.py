"""Secrets of type kubernetes.io/service-account-token: filled when asked for, gone with their account."""
