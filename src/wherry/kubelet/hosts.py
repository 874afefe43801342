"""A Pod's names: its host name, /etc/hosts and resolver settings.

https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wherry.api.types import core_v1

_MAX_HOSTNAME = 63
_MAX_FQDN = 64
_HEADER = "# Kubernetes-managed hosts file.\n"
_HEADER_HOST_NETWORK = "# Kubernetes-managed hosts file (host network).\n"
_ALIASES = "\n# Entries added by HostAliases.\n"


class HostnameError(Exception):
    """A host name that the kernel would not take."""


def hostname_and_domain(pod: core_v1.Pod, cluster_domain: str) -> tuple[str, str]:
    """(host name as the Pod sees it, the domain after it in /etc/hosts).  Raises HostnameError."""
    if pod.spec.hostname_override is not None:
        return pod.spec.hostname_override, ""
    name = pod.spec.hostname or pod.metadata.name[:_MAX_HOSTNAME].rstrip("-.")
    domain = f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}" if pod.spec.subdomain else ""
    if pod.spec.set_hostname_as_fqdn and domain:
        fqdn = f"{name}.{domain}"
        if len(fqdn) > _MAX_FQDN:
            raise HostnameError(f"failed to construct FQDN from pod hostname and cluster domain, FQDN {fqdn} is too long "
                                f"({_MAX_FQDN} is the max, {len(fqdn)} characters requested)")
        return fqdn, domain
    return name, domain


def short_name(pod: core_v1.Pod) -> str:
    return pod.spec.hostname_override or pod.spec.hostname or pod.metadata.name[:_MAX_HOSTNAME].rstrip("-.")


def hosts_file(pod: core_v1.Pod, ips: tuple[str, ...], cluster_domain: str, host_file: str = "") -> str:
    """The text of the Pod's /etc/hosts; a Pod on the host's network gets the host's own and its aliases."""
    if pod.spec.host_network:
        text = _HEADER_HOST_NETWORK + host_file
    else:
        text = (
            _HEADER
            + "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
            + "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
        )
        name, domain = short_name(pod), hostname_and_domain(pod, cluster_domain)[1]
        for ip in ips:
            text += f"{ip}\t{name}.{domain}\t{name}\n" if domain else f"{ip}\t{name}\n"
    if pod.spec.host_aliases:
        text += _ALIASES
        for alias in pod.spec.host_aliases:
            text += f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n"
    return text


@dataclass(frozen=True, slots=True)
class Resolver:
    """What resolv.conf says."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = field(default=())


def parse_resolv_conf(text: str) -> Resolver:
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if not words:
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            searches = [word.rstrip(".") or "." for word in words[1:]]
        elif words[0] == "options":
            options = words[1:]
    return Resolver(tuple(servers), tuple(searches), tuple(options))


def pod_resolver(pod: core_v1.Pod, host: Resolver, cluster_dns: tuple[str, ...], cluster_domain: str) -> Resolver:
    """The resolver settings that dnsPolicy and dnsConfig ask for."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.host_network:
        policy = "Default"
    if policy == "None":
        base = Resolver()
    elif policy == "Default" or not cluster_dns:
        base = host
    else:
        own = (f"{pod.metadata.namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
        base = Resolver(cluster_dns, own + tuple(s for s in host.searches if s not in own), ("ndots:5",))
    return _with_config(base, pod.spec.dns_config)


def _with_config(base: Resolver, config: core_v1.PodDNSConfig | None) -> Resolver:
    if config is None:
        return base
    options: dict[str, str] = {}
    for option in base.options:
        name, _, value = option.partition(":")
        options[name] = value
    options.update({option.name: option.value for option in config.options})
    return Resolver(
        tuple(dict.fromkeys([*base.servers, *config.nameservers])),
        tuple(dict.fromkeys([*base.searches, *config.searches])),
        tuple(f"{name}:{value}" if value else name for name, value in options.items()),
    )
