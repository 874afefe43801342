"""What the server makes up."""

from __future__ import annotations

import uuid

from wherry.apiserver.registry.names import generate_name, new_uid


def test_uids_are_uuids_of_version_4_and_differ() -> None:
    made = [new_uid() for _ in range(200)]
    assert len(set(made)) == len(made)
    for text in made:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


def test_generated_names_fit_a_label() -> None:
    name = generate_name("x" * 80)
    assert len(name) == 63
    assert name.startswith("x" * 58)
    assert generate_name("web-") != generate_name("web-")
