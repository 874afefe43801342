"""Endpoints that somebody wrote for a Service without a selector, mirrored into EndpointSlices."""
