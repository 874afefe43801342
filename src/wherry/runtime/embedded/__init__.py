"""The embedded runtime: namespaces, overlayfs, conmon and runc, without a daemon.

`runtime.EmbeddedRuntime` is the way in; `cleanup.cleanup` finds and removes everything of a cluster.
"""
