"""The client side of the API: calls, informers, work queues, events.  Floor 4, below every component."""

from wherry.client.client import Client, ListResult
from wherry.client.codec import PartialObjectMetadata, WatchEvent
from wherry.client.paths import ResourceInfo, info_of
from wherry.client.transport import HTTPSTransport, InProcessTransport, TLSConfig

__all__ = [
    "Client", "HTTPSTransport", "InProcessTransport", "ListResult", "PartialObjectMetadata", "ResourceInfo", "TLSConfig",
    "WatchEvent", "info_of",
]
