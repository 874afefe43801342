"""Rows that shape the API server itself: admissionregistration, apiextensions, apiregistration, flowcontrol."""

from __future__ import annotations

from wherry.api.resource import Resource, Strategy
from wherry.api.table.rows import PLAIN, served, status

ADMISSION = "admissionregistration.k8s.io"
EXTENSIONS = "apiextensions.k8s.io"
REGISTRATION = "apiregistration.k8s.io"
FLOW_CONTROL = "flowcontrol.apiserver.k8s.io"
KEEPS_GENERATION = Strategy()


def _extension(
    plural: str, kind: str, group: str, *, has_status: bool = False, short_names: tuple[str, ...] = (),
    strategy: Strategy = KEEPS_GENERATION, name_rule: str = "subdomain",
) -> Resource:
    return Resource(
        plural, kind, group, served(group, kind), namespaced=False, short_names=short_names, categories=("api-extensions",),
        subresources=(status(kind),) if has_status else (), strategy=strategy, name_rule=name_rule,
    )


MUTATING_ADMISSION_POLICY = _extension("mutatingadmissionpolicies", "MutatingAdmissionPolicy", ADMISSION)
MUTATING_ADMISSION_POLICY_BINDING = _extension(
    "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", ADMISSION,
)
MUTATING_WEBHOOK_CONFIGURATION = _extension("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", ADMISSION)
VALIDATING_ADMISSION_POLICY = _extension(
    "validatingadmissionpolicies", "ValidatingAdmissionPolicy", ADMISSION, has_status=True,
)
VALIDATING_ADMISSION_POLICY_BINDING = _extension(
    "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", ADMISSION,
)
VALIDATING_WEBHOOK_CONFIGURATION = _extension(
    "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", ADMISSION,
)
CUSTOM_RESOURCE_DEFINITION = _extension(
    "customresourcedefinitions", "CustomResourceDefinition", EXTENSIONS, has_status=True, short_names=("crd", "crds"),
)
API_SERVICE = _extension("apiservices", "APIService", REGISTRATION, has_status=True, strategy=PLAIN, name_rule="path")
FLOW_SCHEMA = Resource(
    "flowschemas", "FlowSchema", FLOW_CONTROL, served(FLOW_CONTROL, "FlowSchema"), namespaced=False,
    subresources=(status("FlowSchema"),),
)
PRIORITY_LEVEL_CONFIGURATION = Resource(
    "prioritylevelconfigurations", "PriorityLevelConfiguration", FLOW_CONTROL,
    served(FLOW_CONTROL, "PriorityLevelConfiguration"), namespaced=False, subresources=(status("PriorityLevelConfiguration"),),
)

ROWS = (
    MUTATING_ADMISSION_POLICY, MUTATING_ADMISSION_POLICY_BINDING, MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING, VALIDATING_WEBHOOK_CONFIGURATION,
    CUSTOM_RESOURCE_DEFINITION, API_SERVICE, FLOW_SCHEMA, PRIORITY_LEVEL_CONFIGURATION,
)
