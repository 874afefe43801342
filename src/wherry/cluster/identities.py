"""Whom each component speaks as, and its kubeconfig: a client certificate of its own, as kubeadm gives them out.

https://kubernetes.io/docs/setup/best-practices/certificates/#configure-certificates-for-user-accounts
In one process the same users go with the requests themselves, and nothing of this is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wherry.apimachinery.http import UserInfo
from wherry.apiserver.authentication.interface import AUTHENTICATED
from wherry.client import Client
from wherry.client import kubeconfig as client_kubeconfig
from wherry.cluster import kubeconfig
from wherry.cluster.config import ClusterConfig
from wherry.cluster.pki import PKI


@dataclass(frozen=True, slots=True)
class Identity:
    """`file` is the name of the certificate and of the kubeconfig, beside the cluster's other secrets."""

    file: str
    user: UserInfo

    def kubeconfig(self, config: ClusterConfig) -> Path:
        return config.pki / f"{self.file}.kubeconfig"

    def write(self, config: ClusterConfig, pki: PKI) -> None:
        """Make certificate and kubeconfig, or renew them.  Raises OSError."""
        groups = tuple(group for group in self.user.groups if group != AUTHENTICATED)  # every certificate's owner is in that one
        pair = pki.client(self.file, self.user.name, groups)
        kubeconfig.write_component(self.kubeconfig(config), config, pki, self.user.name, pair)

    def client(self, config: ClusterConfig, agent: str) -> Client:
        """Over HTTPS.  Raises FileNotFoundError when `write` never was."""
        return client_kubeconfig.load(self.kubeconfig(config)).as_(user_agent=agent)


def _component(file: str, name: str) -> Identity:
    return Identity(file, UserInfo(name, (AUTHENTICATED,)))


CONTROLLER_MANAGER = _component("controller-manager", "system:kube-controller-manager")
SCHEDULER = _component("scheduler", "system:kube-scheduler")
PROXY = _component("proxy", "system:kube-proxy")
DNS = _component("dns", "system:kube-dns")
PROVISIONER = _component("provisioner", "system:local-provisioner")
ADMIN = Identity("admin", UserInfo("kubernetes-admin", ("system:masters", AUTHENTICATED)))


def node(name: str) -> Identity:
    """A kubelet's."""
    return Identity(f"node-{name}", UserInfo(f"system:node:{name}", ("system:nodes", AUTHENTICATED)))
