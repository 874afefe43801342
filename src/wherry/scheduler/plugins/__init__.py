"""The default plugins, each in a file of its own, named as upstream's."""
