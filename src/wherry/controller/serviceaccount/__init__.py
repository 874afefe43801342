"""ServiceAccounts: every namespace has one named `default`."""
