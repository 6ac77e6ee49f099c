"""Devices that come with nmcompile."""
