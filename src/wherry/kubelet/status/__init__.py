"""The status that a Pod shows: made purely (`generate`), kept and sent (`manager`)."""
