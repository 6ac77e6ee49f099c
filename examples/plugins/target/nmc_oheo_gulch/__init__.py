"""Intel Oheo Gulch, a board with one Loihi 2: the target file beside this one."""
