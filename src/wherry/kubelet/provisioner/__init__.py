"""The provisioner of local volumes: directories on a node, made and removed beside its kubelet.

It stands where a CSI driver's node part stands upstream: a component of its own, with a user of its own, which
runs on the machine whose files it touches.  Every such machine has one, for its own nodes.
"""
