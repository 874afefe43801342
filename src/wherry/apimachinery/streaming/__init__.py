"""The wire protocols of exec, attach and port-forward, over any `Duplex`.

`websocket` and `spdy` are framings; `remotecommand` and `portforward` are what Kubernetes says over
them.  They are spoken once, at the kubelet: the API server passes the bytes through.
"""
