"""Tokens that accounts list as theirs and nobody uses: first marked invalid, then deleted."""
