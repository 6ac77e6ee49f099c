"""Trained networks that come with nmcompile, and the scripts that train them."""
