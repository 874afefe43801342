"""Endpoints: the older form of EndpointSlices, kept for clients that still read it."""
