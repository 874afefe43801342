"""A Pod's containers: what should happen to them (`plan`) and making it so (`kuberuntime`)."""
