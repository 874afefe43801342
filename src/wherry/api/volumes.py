"""PersistentVolumes and claims, what they are to each other: one rule for the binder, the scheduler and the node.  Pure.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from wherry.api.nodeaffinity import matches_term
from wherry.api.types import core_v1, storage_v1
from wherry.apimachinery.labels import from_label_selector
from wherry.apimachinery.quantity import Quantity, parse

Claim = core_v1.PersistentVolumeClaim
Volume = core_v1.PersistentVolume
StorageClass = storage_v1.StorageClass

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"

CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
PROVISIONER_FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"

NO_PROVISIONER = "kubernetes.io/no-provisioner"
WAIT_FOR_FIRST_CONSUMER = "WaitForFirstConsumer"

# --- fields with two homes ----------------------------------------------------------------------


def claim_class(claim: Claim) -> str:
    """The class that a claim asks for; "" for none.  The beta annotation goes before the field."""
    return claim.metadata.annotations.get(BETA_CLASS) or claim.spec.storage_class_name or ""


def has_class(claim: Claim) -> bool:
    """Whether a claim says anything of its class: "" is an answer, too."""
    return claim.spec.storage_class_name is not None or BETA_CLASS in claim.metadata.annotations


def volume_class(volume: Volume) -> str:
    return volume.metadata.annotations.get(BETA_CLASS) or volume.spec.storage_class_name or ""


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """The class marked as default: the newest, and the first by name of those made in one second."""
    marked = [each for each in classes if each.metadata.annotations.get(DEFAULT_CLASS) == "true"]
    newest = max((each.metadata.creation_timestamp or "" for each in marked), default="")
    found = [each for each in marked if (each.metadata.creation_timestamp or "") == newest]
    return min(found, key=lambda each: each.metadata.name, default=None)


def requested(claim: Claim) -> Quantity:
    return parse(claim.spec.resources.requests.get("storage", "0"))


def capacity(volume: Volume) -> Quantity:
    return parse(volume.spec.capacity.get("storage", "0"))


def waits_for_consumer(storage_class: StorageClass | None) -> bool:
    return storage_class is not None and storage_class.volume_binding_mode == WAIT_FOR_FIRST_CONSUMER


# --- who has whom -------------------------------------------------------------------------------


def is_fully_bound(claim: Claim) -> bool:
    """The binder has finished with it."""
    return bool(claim.spec.volume_name) and BIND_COMPLETED in claim.metadata.annotations


def is_bound_to(volume: Volume, claim: Claim) -> bool:
    """The volume is this claim's, or kept for one of its name."""
    ref = volume.spec.claim_ref
    if ref is None or (ref.namespace, ref.name) != (claim.metadata.namespace, claim.metadata.name):
        return False
    return ref.uid in ("", claim.metadata.uid)


def pod_claims(pod: core_v1.Pod) -> Iterator[tuple[core_v1.Volume, str]]:
    """Each volume of a Pod that is a claim, and the claim's name."""
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            yield volume, volume.persistent_volume_claim.claim_name
        elif volume.ephemeral is not None:
            yield volume, ephemeral_claim(pod, volume)


def ephemeral_claim(pod: core_v1.Pod, volume: core_v1.Volume) -> str:
    """The claim that is made for a generic ephemeral volume."""
    return f"{pod.metadata.name}-{volume.name}"


def by_claim(pod: core_v1.Pod) -> list[str]:
    """An index of Pods: `namespace/claim` of each claim that they use."""
    return [f"{pod.metadata.namespace}/{name}" for _, name in pod_claims(pod)]


def not_owner(pod: core_v1.Pod, claim: Claim) -> str:
    """Why a Pod may not have a claim of its ephemeral volume's name; "" when it may."""
    if any(ref.controller and ref.uid == pod.metadata.uid for ref in claim.metadata.owner_references):
        return ""
    of_claim = f"{claim.metadata.namespace}/{claim.metadata.name}"
    return f"PVC {of_claim} was not created for pod {pod.metadata.namespace}/{pod.metadata.name} (pod is not owner)"


# --- what fits ----------------------------------------------------------------------------------


def mode_of(obj: Volume | Claim) -> str:
    return obj.spec.volume_mode or "Filesystem"


def fits_node(volume: Volume, node: core_v1.Node) -> bool:
    """Whether a volume can be reached from a node."""
    required = volume.spec.node_affinity.required if volume.spec.node_affinity else None
    return required is None or any(matches_term(term, node) for term in required.node_selector_terms)


def mismatch(volume: Volume, claim: Claim) -> str:
    """Why a volume that a claim names is none for it; "" when it is."""
    if capacity(volume) < requested(claim):
        return "requested PV is too small"
    if volume_class(volume) != claim_class(claim):
        return "storageClassName does not match"
    if (volume.spec.volume_attributes_class_name or "") != (claim.spec.volume_attributes_class_name or ""):
        return "volumeAttributesClassName does not match"
    if mode_of(volume) != mode_of(claim):
        return "incompatible volumeMode"
    if not set(claim.spec.access_modes) <= set(volume.spec.access_modes):
        return "incompatible accessMode"
    return ""


def find_volume(
    claim: Claim, volumes: Iterable[Volume], *, node: core_v1.Node | None = None, excluded: Collection[str] = (), delayed: bool = False,
) -> Volume | None:
    """The volume to bind: one that is kept for the claim, else the smallest that fits (first by name).

    `delayed`: without a node only what is kept for the claim counts, since the scheduler is to choose.
    """
    wanted = requested(claim)
    selector = from_label_selector(claim.spec.selector) if claim.spec.selector is not None else None
    best: Volume | None = None
    for volume in volumes:
        if volume.metadata.name in excluded or volume.metadata.deletion_timestamp is not None:
            continue
        if capacity(volume) < wanted or mode_of(volume) != mode_of(claim):
            continue
        reachable = node is None or fits_node(volume, node)
        if volume.spec.claim_ref is not None:
            if not is_bound_to(volume, claim):
                continue
            return volume if reachable else None
        if (delayed and node is None) or not reachable or volume.status.phase != "Available" or mismatch(volume, claim):
            continue
        if selector is not None and not selector.matches(volume.metadata.labels):
            continue
        if best is None or (capacity(volume), volume.metadata.name) < (capacity(best), best.metadata.name):
            best = volume
    return best


def allowed_on(storage_class: StorageClass, labels: Mapping[str, str]) -> bool:
    """Whether a class lets a volume be made for a node with these labels."""
    terms = storage_class.allowed_topologies
    return not terms or any(
        all(labels.get(each.key) in each.values for each in term.match_label_expressions) for term in terms
    )
