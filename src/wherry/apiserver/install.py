"""Puts an API server together: what hangs on the generic machinery, by name.

A subresource, a virtual kind, a hook or a path is a class in `endpoints/` or `registry/` and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.apiserver.admission.certificates import certificate_plugins
from wherry.apiserver.admission.chain import DISABLED, default_plugins
from wherry.apiserver.aggregator.controller import Aggregator
from wherry.apiserver.authentication.authenticators import ISSUER, ClientCertificate, ServiceAccountTokens, StaticTokens
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.authentication.legacytokens import LegacyTokenTracker
from wherry.apiserver.authorization.escalation import RBACEscalation
from wherry.apiserver.authorization.node import NodeAuthorizer
from wherry.apiserver.authorization.rbac import GROUP as RBAC_GROUP
from wherry.apiserver.authorization.rbac import KINDS as RBAC_KINDS
from wherry.apiserver.authorization.rbac import RBAC
from wherry.apiserver.codec import decode_json, encode
from wherry.apiserver.endpoints import plain, reviews
from wherry.apiserver.endpoints.componentstatus import ComponentStatuses
from wherry.apiserver.endpoints.eviction import Eviction
from wherry.apiserver.endpoints.proxy import NodeProxy, Passing, PodProxy, ServiceProxy
from wherry.apiserver.endpoints.streams import NodeConnector, Nodes, PodLogs, PodStreams, unconnected
from wherry.apiserver.endpoints.subresources import Binding, Finalize, ObjectViews, Scale
from wherry.apiserver.endpoints.token import TokenRequest
from wherry.apiserver.metrics.api import NodeMetrics, PodMetrics
from wherry.apiserver.metrics.summaries import Summaries
from wherry.apiserver.registry.certificates import CertificateRequests
from wherry.apiserver.registry.devices import GROUP as DEVICES
from wherry.apiserver.registry.devices import ClaimRules, TaintTimes
from wherry.apiserver.registry.serviceip import ServiceAllocator
from wherry.apiserver.server import APIServer
from wherry.client.forward import Forwarder
from wherry.util.metrics import ComponentSLIs

OIDC_CACHING = ("Cache-Control", "public, max-age=3600")
STORE = "etcd-0"  # by upstream's name among the component statuses


@dataclass(slots=True)
class Options:
    """What differs between clusters."""

    service_range: str
    signer: Signer
    tokens: dict[str, UserInfo] = field(default_factory=dict)
    node_port_free: Callable[[int], bool] = lambda port: True
    connect: NodeConnector = unconnected  # the way to each node's kubelet
    pod_network: bool = True  # whether the addresses of Pods and nodes can be dialed
    disabled_admission: Collection[str] = DISABLED  # names of admission plugins
    front_proxy: tuple[Path, Path] | None = None  # certificate and key by which servers of aggregated APIs know us
    simulated: Sequence[str] = ()  # ranges of addresses that lead nowhere


def install(server: APIServer, options: Options) -> Aggregator:
    """Hang everything on a started server.  Returns what aggregates other servers' APIs, still to be started."""
    tracker = LegacyTokenTracker(server, server.clock)
    server.closing.append(tracker.close)
    tokens = ServiceAccountTokens(options.signer, server, server.clock, tracker)
    static = StaticTokens(options.tokens)
    server.authenticators = [ClientCertificate(), static, tokens]
    rbac = RBAC(server)
    for kind in RBAC_KINDS:
        cacher = server.store(RBAC_GROUP, kind).cacher
        cacher.subscribe(cacher.revision, "", rbac.changed, rbac.changed)
    server.authorizers = [NodeAuthorizer(server.store("", "pods").cacher, server.store("", "persistentvolumes").cacher), rbac]
    server.use([
        *default_plugins(server, options.disabled_admission),
        *certificate_plugins(server.authorizers, options.disabled_admission),
        RBACEscalation(rbac, server.authorizers),
    ])
    _subresources(server, options)
    _virtuals(server, rbac, tokens, static)
    _metrics(server, options)
    aggregator = Aggregator(server, options.front_proxy, options.simulated)
    server.closing.append(aggregator.close)
    _paths(server, options, aggregator)
    services = [decode_json(c.value) for c in server.cached_list("", "services")]
    server.store("", "services").hooks.append(ServiceAllocator(options.service_range, services, options.node_port_free))
    server.store("certificates.k8s.io", "certificatesigningrequests").hooks.append(CertificateRequests())
    for plural in ("resourceclaims", "resourceclaimtemplates"):
        server.store(DEVICES, plural).hooks.append(ClaimRules(server, server.authorizers))
    for plural in ("resourceslices", "devicetaintrules"):
        server.store(DEVICES, plural).hooks.append(TaintTimes())
    return aggregator


def _subresources(server: APIServer, options: Options) -> None:
    clock = server.clock
    views = ObjectViews(clock)
    for name in ("status", "ephemeralcontainers", "resize", "approval"):
        server.subresources["*", "*", name] = views
    server.subresources["*", "*", "scale"] = Scale(clock)
    server.subresources["", "namespaces", "finalize"] = Finalize(clock)
    binding = Binding(clock, server)
    server.subresources["", "pods", "binding"] = binding
    server.virtuals["", "bindings"] = binding.by_name(server.store, server.codecs)
    server.subresources["", "serviceaccounts", "token"] = TokenRequest(options.signer, server)
    nodes = Nodes(options.connect)
    for name in ("exec", "attach", "portforward"):
        server.subresources["", "pods", name] = PodStreams(nodes, server.filters)
    server.subresources["", "pods", "log"] = PodLogs(nodes)
    forwarder = Forwarder()
    server.closing.append(forwarder.close)
    passing = Passing(forwarder, network=options.pod_network)
    server.subresources["", "pods", "proxy"] = PodProxy(passing)
    server.subresources["", "services", "proxy"] = ServiceProxy(passing, server)
    server.subresources["", "nodes", "proxy"] = NodeProxy(nodes, passing)
    server.subresources["", "pods", "eviction"] = Eviction(server, server.store("policy", "poddisruptionbudgets"))


def _virtuals(server: APIServer, rbac: RBAC, tokens: ServiceAccountTokens, static: StaticTokens) -> None:
    access = reviews.AccessReviews(server.authorizers)
    for plural in ("subjectaccessreviews", "selfsubjectaccessreviews", "localsubjectaccessreviews"):
        server.virtuals["authorization.k8s.io", plural] = access
    server.components[STORE] = lambda: "" if server.ready else "not open"
    server.virtuals["", "componentstatuses"] = ComponentStatuses(server.components, server.clock)
    server.virtuals["authorization.k8s.io", "selfsubjectrulesreviews"] = reviews.SelfSubjectRules(rbac)
    server.virtuals["authentication.k8s.io", "tokenreviews"] = reviews.TokenReview(tokens, static)
    server.virtuals["authentication.k8s.io", "selfsubjectreviews"] = reviews.self_subject_review


def _metrics(server: APIServer, options: Options) -> None:
    """metrics.k8s.io from the kubelets, and the server's own figures."""
    summaries = Summaries(options.connect, server.clock)
    server.closing.append(summaries.close)
    server.virtuals["metrics.k8s.io", "nodes"] = NodeMetrics(server.store("", "nodes").cacher, summaries, server.clock)
    server.virtuals["metrics.k8s.io", "pods"] = PodMetrics(server.store("", "pods").cacher, summaries, server.clock)
    server.paths["/metrics"] = server.metrics


async def _slis(slis: ComponentSLIs, request: Request) -> Response:
    return Response(200, *slis.metrics.expose(request.headers.get("accept", "")))


def _paths(server: APIServer, options: Options, aggregator: Aggregator) -> None:
    below = plain.DiscoveryPaths(lambda: aggregator.discovery)
    alive: dict[str, plain.Check] = {"ping": lambda: "", "log": lambda: "", "etcd": server.components[STORE]}
    ready: dict[str, plain.Check] = {
        **alive, "etcd-readiness": server.components[STORE],
        "informer-sync": lambda: "" if server.ready else "caches are not filled yet",
        "shutdown": lambda: "" if server.ready else "process is shutting down",
    }
    slis = ComponentSLIs()
    for name in ("healthz", "livez", "readyz"):
        health = plain.Health(ready if name == "readyz" else alive, name, slis)
        server.paths[f"/{name}"] = server.paths[f"/{name}/"] = health
    server.paths["/metrics/slis"] = partial(_slis, slis)
    server.paths["/version"] = plain.version
    for prefix in ("/api", "/apis"):
        server.paths[prefix] = below.root
        server.paths[prefix + "/"] = below.below

    async def jwks(request: Request) -> Response:
        return Response(200, encode(options.signer.jwks()), "application/jwk-set+json", [OIDC_CACHING])

    async def configuration(request: Request) -> Response:
        found = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/openid/v1/jwks", "response_types_supported": ["id_token"],
                 "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"]}
        return Response(200, encode(found), headers=[OIDC_CACHING])

    server.paths["/openid/v1/jwks"] = jwks
    server.paths["/.well-known/openid-configuration"] = configuration
    if find_spec("wherry.api.openapi"):
        _openapi(server, aggregator)

    def listed() -> list[str]:
        return sorted({*aggregator.discovery.paths(), *(path for path in server.paths if not path.endswith("/") or path == "/")})

    server.paths["/"] = plain.paths(listed)


def _openapi(server: APIServer, aggregator: Aggregator) -> None:
    from wherry.apiserver.endpoints.openapi import OpenAPIPaths

    documents = OpenAPIPaths(server.registry.resources, server.clock, aggregator)
    aggregator.on_change.append(documents.forget)
    server.paths["/openapi/v2"] = documents.v2
    server.paths["/openapi/v3"] = server.paths["/openapi/v3/"] = documents.v3
