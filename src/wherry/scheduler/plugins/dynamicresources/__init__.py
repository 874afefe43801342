"""DynamicResources: devices for Pods that claim them (structured parameters)."""

from wherry.scheduler.plugins.dynamicresources.plugin import DynamicResources

__all__ = ["DynamicResources"]
