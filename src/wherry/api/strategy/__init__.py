"""Strategies: what each kind adds to create and update - defaults, preparation, validation, warnings.

One module a kind or a family of kinds, each with its `Strategy`s as constants (`POD`, `SERVICE` ...), named
as upstream's `pkg/registry` and `pkg/apis/*/{v1,validation}`.  Everything here is pure: dicts in, dicts
changed in place or causes out; nothing needs a clock, a network or another object.
"""
