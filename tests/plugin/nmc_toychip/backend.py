"""A backend from another distribution: Loihi's numbers under another name and one file."""

import json

from nmcompile_backends.loihi.backend import LoihiBackend


class ToyBackend(LoihiBackend):
    """Same arithmetic as Loihi, its own configuration."""

    name = "toy"

    def emit(self, program, folder):
        """Write the number of neurons as JSON."""
        neurons = sum(p.size for p in program.network.populations)
        (folder / "toy.json").write_text(json.dumps({"neurons": neurons}))
        return {"toy.json": "the toy chip's whole configuration"}


BACKEND = ToyBackend()
