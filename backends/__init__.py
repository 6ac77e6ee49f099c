"""Chip families that come with nmcompile."""
