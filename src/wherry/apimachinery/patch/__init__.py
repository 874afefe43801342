"""The three patches that change a document: JSON patch, merge patch, strategic merge patch.

All are pure: the result shares nothing with its inputs.  Failures are `PatchError`s in upstream's
words.  The fourth kind, apply, knows owners of fields: `wherry.apimachinery.managedfields`.
https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
"""

from wherry.apimachinery.patch.error import PatchError
from wherry.apimachinery.patch.json_patch import apply_json_patch
from wherry.apimachinery.patch.merge_patch import apply_merge_patch
from wherry.apimachinery.patch.strategic import apply_strategic_merge_patch

__all__ = ["PatchError", "apply_json_patch", "apply_merge_patch", "apply_strategic_merge_patch"]
