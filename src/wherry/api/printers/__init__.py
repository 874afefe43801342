"""Printers: the Table rows that kubectl shows, as upstream's `pkg/printers/internalversion`.

One module a family of kinds.  A printer is pure: columns, and a function from an object to its cells.
What depends on the clock is an `Age`, filled in when sent (`duration.age_text`).
"""
