"""A handler behind HTTPS: what the API server, each kubelet and every component's own port stand behind."""
