"""What the node, its Pods and their containers use: sampled (`provider`), told as a summary (`summary`)."""
