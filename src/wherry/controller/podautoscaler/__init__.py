"""HorizontalPodAutoscalers: as many replicas as metrics ask for, within bounds and not too fast."""
