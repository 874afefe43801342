"""ClusterRoles that are made of other ClusterRoles: admin, edit, view, and everyone's own."""
