"""DaemonSets: a Pod on every node that they select."""
