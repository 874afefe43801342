"""Liveness, readiness and startup probes: one worker a probe (`worker`), one file a way to ask."""
