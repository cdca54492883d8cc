"""Reads of the knowledge base, by what they are for."""
