"""The PersistentVolume binder: which claim has which volume, and what becomes of a volume without its claim."""
