"""The controllers, one line each.  docs/checklists/new-controller.md says how to add one."""

from __future__ import annotations

from wherry.controller.certificates.controller import CSRApprovingController, CSRCleanerController, CSRSigningController
from wherry.controller.clusterroleaggregation.controller import ClusterRoleAggregationController
from wherry.controller.controller import Controller
from wherry.controller.cronjob.controller import CronJobController
from wherry.controller.daemonset.controller import DaemonSetController
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.devicetainteviction.controller import DeviceTaintEvictionController
from wherry.controller.disruption.controller import DisruptionController
from wherry.controller.endpoints.controller import EndpointsController
from wherry.controller.endpointslice.controller import EndpointSliceController
from wherry.controller.endpointslicemirroring.controller import EndpointSliceMirroringController
from wherry.controller.ephemeral.controller import EphemeralVolumeController
from wherry.controller.expand.controller import ExpandController
from wherry.controller.garbagecollector.controller import GarbageCollector
from wherry.controller.job.controller import JobController
from wherry.controller.namespace.controller import NamespaceController
from wherry.controller.nodelifecycle.controller import NodeLifecycleController
from wherry.controller.persistentvolume.controller import PersistentVolumeController
from wherry.controller.podautoscaler.controller import HorizontalPodAutoscalerController
from wherry.controller.podgc.controller import PodGCController
from wherry.controller.pvcprotection.controller import PVCProtectionController
from wherry.controller.pvprotection.controller import PVProtectionController
from wherry.controller.replicaset.controller import ReplicaSetController, ReplicationControllerController
from wherry.controller.resourceclaim.controller import ResourceClaimController
from wherry.controller.resourcequota.controller import ResourceQuotaController
from wherry.controller.rootca.controller import RootCAPublisher
from wherry.controller.serviceaccount.controller import ServiceAccountController
from wherry.controller.serviceaccounttoken.controller import ServiceAccountTokenController
from wherry.controller.serviceaccounttokencleaner.controller import LegacyServiceAccountTokenCleaner
from wherry.controller.statefulset.controller import StatefulSetController
from wherry.controller.tainteviction.controller import TaintEvictionController
from wherry.controller.ttl.controller import TTLController
from wherry.controller.ttlafterfinished.controller import TTLAfterFinishedController

CONTROLLERS: tuple[type[Controller], ...] = (
    NamespaceController,
    ServiceAccountController,
    RootCAPublisher,
    ReplicaSetController,
    ReplicationControllerController,
    DeploymentController,
    EndpointSliceController,
    EndpointsController,
    GarbageCollector,
    NodeLifecycleController,
    TaintEvictionController,
    PodGCController,
    DaemonSetController,
    StatefulSetController,
    JobController,
    CronJobController,
    TTLAfterFinishedController,
    CSRSigningController,
    CSRApprovingController,
    CSRCleanerController,
    ClusterRoleAggregationController,
    EndpointSliceMirroringController,
    ServiceAccountTokenController,
    LegacyServiceAccountTokenCleaner,
    TTLController,
    DisruptionController,
    HorizontalPodAutoscalerController,
    ResourceQuotaController,
    PersistentVolumeController,
    PVCProtectionController,
    PVProtectionController,
    ExpandController,
    EphemeralVolumeController,
    ResourceClaimController,
    DeviceTaintEvictionController,
)
