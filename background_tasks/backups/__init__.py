"""Backups: one consistent snapshot, in a portable archive that is proven to restore."""
