"""Container images: references, archives, registries, and the store of unpacked layers."""
