"""Typed objects of admissionregistration/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class ApplyConfiguration(Struct):
    expression: str = ""


class AuditAnnotation(Struct):
    key: str = ""
    value_expression: str = msgspec.field(default="", name="valueExpression")


class ExpressionWarning(Struct):
    field_ref: str = msgspec.field(default="", name="fieldRef")
    warning: str = ""


class JSONPatch(Struct):
    expression: str = ""


class MatchCondition(Struct):
    expression: str = ""
    name: str = ""


class MatchResources(Struct):
    exclude_resource_rules: list[NamedRuleWithOperations] = msgspec.field(default_factory=list, name="excludeResourceRules")
    match_policy: str = msgspec.field(default="", name="matchPolicy")
    namespace_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="namespaceSelector")
    object_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="objectSelector")
    resource_rules: list[NamedRuleWithOperations] = msgspec.field(default_factory=list, name="resourceRules")


class MutatingAdmissionPolicy(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    kind: str = "MutatingAdmissionPolicy"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: MutatingAdmissionPolicySpec = msgspec.field(default_factory=lambda: MutatingAdmissionPolicySpec())


class MutatingAdmissionPolicyBinding(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    kind: str = "MutatingAdmissionPolicyBinding"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: MutatingAdmissionPolicyBindingSpec = msgspec.field(default_factory=lambda: MutatingAdmissionPolicyBindingSpec())


class MutatingAdmissionPolicyBindingList(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    items: list[MutatingAdmissionPolicyBinding] = msgspec.field(default_factory=list)
    kind: str = "MutatingAdmissionPolicyBindingList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class MutatingAdmissionPolicyBindingSpec(Struct):
    match_resources: MatchResources | None = msgspec.field(default=None, name="matchResources")
    param_ref: ParamRef | None = msgspec.field(default=None, name="paramRef")
    policy_name: str = msgspec.field(default="", name="policyName")


class MutatingAdmissionPolicyList(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    items: list[MutatingAdmissionPolicy] = msgspec.field(default_factory=list)
    kind: str = "MutatingAdmissionPolicyList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class MutatingAdmissionPolicySpec(Struct):
    failure_policy: str = msgspec.field(default="", name="failurePolicy")
    match_conditions: list[MatchCondition] = msgspec.field(default_factory=list, name="matchConditions")
    match_constraints: MatchResources | None = msgspec.field(default=None, name="matchConstraints")
    mutations: list[Mutation] = msgspec.field(default_factory=list)
    param_kind: ParamKind | None = msgspec.field(default=None, name="paramKind")
    reinvocation_policy: str = msgspec.field(default="", name="reinvocationPolicy")
    variables: list[Variable] = msgspec.field(default_factory=list)


class MutatingWebhook(Struct):
    admission_review_versions: list[str] = msgspec.field(default_factory=list, name="admissionReviewVersions")
    client_config: WebhookClientConfig = msgspec.field(default_factory=lambda: WebhookClientConfig(), name="clientConfig")
    failure_policy: str = msgspec.field(default="", name="failurePolicy")
    match_conditions: list[MatchCondition] = msgspec.field(default_factory=list, name="matchConditions")
    match_policy: str = msgspec.field(default="", name="matchPolicy")
    name: str = ""
    namespace_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="namespaceSelector")
    object_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="objectSelector")
    reinvocation_policy: str = msgspec.field(default="", name="reinvocationPolicy")
    rules: list[RuleWithOperations] = msgspec.field(default_factory=list)
    side_effects: str = msgspec.field(default="", name="sideEffects")
    timeout_seconds: int | None = msgspec.field(default=None, name="timeoutSeconds")


class MutatingWebhookConfiguration(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    kind: str = "MutatingWebhookConfiguration"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    webhooks: list[MutatingWebhook] = msgspec.field(default_factory=list)


class MutatingWebhookConfigurationList(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    items: list[MutatingWebhookConfiguration] = msgspec.field(default_factory=list)
    kind: str = "MutatingWebhookConfigurationList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class Mutation(Struct):
    apply_configuration: ApplyConfiguration | None = msgspec.field(default=None, name="applyConfiguration")
    json_patch: JSONPatch | None = msgspec.field(default=None, name="jsonPatch")
    patch_type: str = msgspec.field(default="", name="patchType")


class NamedRuleWithOperations(Struct):
    api_groups: list[str] = msgspec.field(default_factory=list, name="apiGroups")
    api_versions: list[str] = msgspec.field(default_factory=list, name="apiVersions")
    operations: list[str] = msgspec.field(default_factory=list)
    resource_names: list[str] = msgspec.field(default_factory=list, name="resourceNames")
    resources: list[str] = msgspec.field(default_factory=list)
    scope: str = ""


class ParamKind(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""


class ParamRef(Struct):
    name: str = ""
    namespace: str = ""
    parameter_not_found_action: str = msgspec.field(default="", name="parameterNotFoundAction")
    selector: meta_v1.LabelSelector | None = None


class RuleWithOperations(Struct):
    api_groups: list[str] = msgspec.field(default_factory=list, name="apiGroups")
    api_versions: list[str] = msgspec.field(default_factory=list, name="apiVersions")
    operations: list[str] = msgspec.field(default_factory=list)
    resources: list[str] = msgspec.field(default_factory=list)
    scope: str = ""


class ServiceReference(Struct):
    name: str = ""
    namespace: str = ""
    path: str = ""
    port: int | None = None


class TypeChecking(Struct):
    expression_warnings: list[ExpressionWarning] = msgspec.field(default_factory=list, name="expressionWarnings")


class ValidatingAdmissionPolicy(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    kind: str = "ValidatingAdmissionPolicy"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ValidatingAdmissionPolicySpec = msgspec.field(default_factory=lambda: ValidatingAdmissionPolicySpec())
    status: ValidatingAdmissionPolicyStatus = msgspec.field(default_factory=lambda: ValidatingAdmissionPolicyStatus())


class ValidatingAdmissionPolicyBinding(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    kind: str = "ValidatingAdmissionPolicyBinding"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ValidatingAdmissionPolicyBindingSpec = msgspec.field(default_factory=lambda: ValidatingAdmissionPolicyBindingSpec())


class ValidatingAdmissionPolicyBindingList(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    items: list[ValidatingAdmissionPolicyBinding] = msgspec.field(default_factory=list)
    kind: str = "ValidatingAdmissionPolicyBindingList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ValidatingAdmissionPolicyBindingSpec(Struct):
    match_resources: MatchResources | None = msgspec.field(default=None, name="matchResources")
    param_ref: ParamRef | None = msgspec.field(default=None, name="paramRef")
    policy_name: str = msgspec.field(default="", name="policyName")
    validation_actions: list[str] = msgspec.field(default_factory=list, name="validationActions")


class ValidatingAdmissionPolicyList(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    items: list[ValidatingAdmissionPolicy] = msgspec.field(default_factory=list)
    kind: str = "ValidatingAdmissionPolicyList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ValidatingAdmissionPolicySpec(Struct):
    audit_annotations: list[AuditAnnotation] = msgspec.field(default_factory=list, name="auditAnnotations")
    failure_policy: str = msgspec.field(default="", name="failurePolicy")
    match_conditions: list[MatchCondition] = msgspec.field(default_factory=list, name="matchConditions")
    match_constraints: MatchResources | None = msgspec.field(default=None, name="matchConstraints")
    param_kind: ParamKind | None = msgspec.field(default=None, name="paramKind")
    validations: list[Validation] = msgspec.field(default_factory=list)
    variables: list[Variable] = msgspec.field(default_factory=list)


class ValidatingAdmissionPolicyStatus(Struct):
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    type_checking: TypeChecking | None = msgspec.field(default=None, name="typeChecking")


class ValidatingWebhook(Struct):
    admission_review_versions: list[str] = msgspec.field(default_factory=list, name="admissionReviewVersions")
    client_config: WebhookClientConfig = msgspec.field(default_factory=lambda: WebhookClientConfig(), name="clientConfig")
    failure_policy: str = msgspec.field(default="", name="failurePolicy")
    match_conditions: list[MatchCondition] = msgspec.field(default_factory=list, name="matchConditions")
    match_policy: str = msgspec.field(default="", name="matchPolicy")
    name: str = ""
    namespace_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="namespaceSelector")
    object_selector: meta_v1.LabelSelector | None = msgspec.field(default=None, name="objectSelector")
    rules: list[RuleWithOperations] = msgspec.field(default_factory=list)
    side_effects: str = msgspec.field(default="", name="sideEffects")
    timeout_seconds: int | None = msgspec.field(default=None, name="timeoutSeconds")


class ValidatingWebhookConfiguration(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    kind: str = "ValidatingWebhookConfiguration"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    webhooks: list[ValidatingWebhook] = msgspec.field(default_factory=list)


class ValidatingWebhookConfigurationList(Struct):
    api_version: str = msgspec.field(default="admissionregistration.k8s.io/v1", name="apiVersion")
    items: list[ValidatingWebhookConfiguration] = msgspec.field(default_factory=list)
    kind: str = "ValidatingWebhookConfigurationList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class Validation(Struct):
    expression: str = ""
    message: str = ""
    message_expression: str = msgspec.field(default="", name="messageExpression")
    reason: str = ""


class Variable(Struct):
    expression: str = ""
    name: str = ""


class WebhookClientConfig(Struct):
    ca_bundle: str = msgspec.field(default="", name="caBundle")
    service: ServiceReference | None = None
    url: str = ""
