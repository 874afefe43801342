"""Dynamic resource allocation (resource.k8s.io): DeviceClasses, ResourceClaims and their templates, ResourceSlices, DeviceTaintRules.

Upstream's pkg/apis/resource/validation.  Fields of features that 1.37 has off by default are dropped from what is written, as
upstream does: derived and list attributes, compatibility groups, node-allocatable resources, skipped node operations.
"""
