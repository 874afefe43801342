"""EndpointSlices: which addresses stand behind a Service."""
