"""Who owns which field: `managedFields` on every write, and server-side apply.

Structured-merge-diff on `Schema`: `fieldset` is the algebra of sets of fields, `typed` walks objects,
`merge` joins and prunes them, `entries` reads and writes `metadata.managedFields`; `update` and
`apply` are the two kinds of write.  All is pure.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from wherry.apimachinery.managedfields.apply import apply_patch
from wherry.apimachinery.managedfields.entries import same_but_for_times
from wherry.apimachinery.managedfields.fieldset import Fields, field_paths
from wherry.apimachinery.managedfields.typed import compare, field_set_of
from wherry.apimachinery.managedfields.update import update_managed

__all__ = ["Fields", "apply_patch", "compare", "field_paths", "field_set_of", "same_but_for_times", "update_managed"]
