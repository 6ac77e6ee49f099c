"""Machines whose routers match keys: their links, their tables, and whether these are right."""
