"""wherry: Kubernetes, small.  The real API and real containers, in Python."""

__version__ = "0.1.0"
