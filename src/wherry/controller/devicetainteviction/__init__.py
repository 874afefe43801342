"""Pods whose devices get a NoExecute taint have to go."""
