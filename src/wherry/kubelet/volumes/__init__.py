"""Volumes of Pods: one file a kind, `manager` sets them up and keeps them fresh."""
