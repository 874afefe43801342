"""Node lifecycle: a node that says nothing any more is Unknown, and tainted."""
