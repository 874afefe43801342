"""lightkube: apply, patches, waiting, logs and a watch."""

from __future__ import annotations

from busybox_pod import pod
from lightkube import Client
from lightkube.codecs import from_dict
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType

client = Client(field_manager="lightkube")
client.apply(ConfigMap(metadata=ObjectMeta(name="light", namespace="default"), data={"a": "b"}))
client.patch(ConfigMap, "light", {"data": {"c": "d"}})
client.patch(ConfigMap, "light", [{"op": "add", "path": "/data/e", "value": "f"}], patch_type=PatchType.JSON)
assert client.get(ConfigMap, "light").data == {"a": "b", "c": "d", "e": "f"}
client.create(from_dict(pod("light", "echo hello; sleep 600")))
client.wait(Pod, "light", for_conditions=["Ready"])
assert list(client.log("light")) == ["hello\n"]
assert next(iter(client.watch(Pod, labels={"app": "light"})))[0] == "ADDED"
client.delete(ConfigMap, "light")
