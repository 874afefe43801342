"""Rows that shape the API server itself: admissionregistration, apiextensions, apiregistration, flowcontrol."""

from __future__ import annotations

from wherry.api.printers import cluster as printers
from wherry.api.resource import Printer, Resource, Strategy, Version
from wherry.api.strategy import admission as admission_strategy
from wherry.api.strategy import crd as crd_strategy
from wherry.api.table.rows import STATUS, old, served, status

ADMISSION = "admissionregistration.k8s.io"
EXTENSIONS = "apiextensions.k8s.io"
REGISTRATION = "apiregistration.k8s.io"
FLOW_CONTROL = "flowcontrol.apiserver.k8s.io"


def _extension(
    plural: str, kind: str, group: str, *, has_status: bool = False, short_names: tuple[str, ...] = (),
    strategy: Strategy | None = None, name_rule: str = "subdomain",
    printer: Printer | None = None, before: tuple[Version, ...] = (),
) -> Resource:
    strategy = strategy or (STATUS if has_status else Strategy())
    return Resource(
        plural, kind, group, (*served(group, kind), *before), namespaced=False, short_names=short_names, categories=("api-extensions",),
        subresources=(status(kind),) if has_status else (), strategy=strategy, name_rule=name_rule,
        printer=printer,
    )


MUTATING_ADMISSION_POLICY = _extension(
    "mutatingadmissionpolicies", "MutatingAdmissionPolicy", ADMISSION, printer=printers.MUTATING_ADMISSION_POLICY,
    strategy=admission_strategy.MUTATING_ADMISSION_POLICY,
)
MUTATING_ADMISSION_POLICY_BINDING = _extension(
    "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", ADMISSION,
    printer=printers.ADMISSION_POLICY_BINDING, strategy=admission_strategy.MUTATING_ADMISSION_POLICY_BINDING,
)
MUTATING_WEBHOOK_CONFIGURATION = _extension(
    "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", ADMISSION, printer=printers.WEBHOOKS,
    strategy=admission_strategy.MUTATING_WEBHOOK_CONFIGURATION,
)
VALIDATING_ADMISSION_POLICY = _extension(
    "validatingadmissionpolicies", "ValidatingAdmissionPolicy", ADMISSION, has_status=True,
    printer=printers.VALIDATING_ADMISSION_POLICY, strategy=admission_strategy.VALIDATING_ADMISSION_POLICY,
)
VALIDATING_ADMISSION_POLICY_BINDING = _extension(
    "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", ADMISSION,
    printer=printers.ADMISSION_POLICY_BINDING, strategy=admission_strategy.VALIDATING_ADMISSION_POLICY_BINDING,
)
VALIDATING_WEBHOOK_CONFIGURATION = _extension(
    "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", ADMISSION, printer=printers.WEBHOOKS,
    strategy=admission_strategy.VALIDATING_WEBHOOK_CONFIGURATION,
)
CUSTOM_RESOURCE_DEFINITION = _extension(
    "customresourcedefinitions", "CustomResourceDefinition", EXTENSIONS, has_status=True, short_names=("crd", "crds"),
    strategy=crd_strategy.CUSTOM_RESOURCE_DEFINITION,
)
API_SERVICE = _extension(
    "apiservices", "APIService", REGISTRATION, has_status=True, strategy=crd_strategy.API_SERVICE, name_rule="path",
    printer=printers.API_SERVICE, before=(old(f"{REGISTRATION}/v1beta1", "APIService", f"{REGISTRATION}/v1", "v1.19", "v1.22"),),
)
FLOW_SCHEMA = Resource(
    "flowschemas", "FlowSchema", FLOW_CONTROL, served(FLOW_CONTROL, "FlowSchema"), namespaced=False,
    subresources=(status("FlowSchema"),), printer=printers.FLOW_SCHEMA, strategy=STATUS,
)
PRIORITY_LEVEL_CONFIGURATION = Resource(
    "prioritylevelconfigurations", "PriorityLevelConfiguration", FLOW_CONTROL,
    served(FLOW_CONTROL, "PriorityLevelConfiguration"), namespaced=False, subresources=(status("PriorityLevelConfiguration"),),
    printer=printers.PRIORITY_LEVEL_CONFIGURATION, strategy=STATUS,
)

ROWS = (
    MUTATING_ADMISSION_POLICY, MUTATING_ADMISSION_POLICY_BINDING, MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING, VALIDATING_WEBHOOK_CONFIGURATION,
    CUSTOM_RESOURCE_DEFINITION, API_SERVICE, FLOW_SCHEMA, PRIORITY_LEVEL_CONFIGURATION,
)
