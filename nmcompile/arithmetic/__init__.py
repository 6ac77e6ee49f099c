"""Building blocks of chip arithmetic; a chip puts them together in its backend."""
