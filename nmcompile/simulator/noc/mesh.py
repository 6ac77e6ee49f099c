"""A mesh of routers with cores, on one chip or several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.errors import MeshError

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # of a router's first ports
MOST_CORES = 32
MOST_ROUTERS = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Routers in `width` columns and `height` rows, each with `cores` cores.

    Routers are counted row by row, and nodes (cores) router by router: the cores of router r are
    the nodes r * cores to (r + 1) * cores - 1. With `chip`, columns and rows are cut into chips of
    so many, and the links between them differ.

    chip           (columns, rows) of routers on a chip; none: all are on one
    chip_latency   cycles on a link between chips
    chip_interval  cycles from a packet on such a link to the next: 1 / rate
    """

    width: int
    height: int
    cores: int = 1
    chip: tuple[int, int] | None = None
    chip_latency: int = 1
    chip_interval: int = 1

    def verify(self, where: str) -> None:
        """Raise NmcError where a size is out of range or chips do not fill the mesh."""
        limits = {"chip_latency": 100_000, "chip_interval": 100_000, "cores": MOST_CORES,
                  "width": MOST_ROUTERS, "height": MOST_ROUTERS}
        for name, most in limits.items():
            if not 1 <= getattr(self, name) <= most:
                raise MeshError(where, f"{name} is {getattr(self, name)}, expected 1 to {most:,}")
        if self.n_routers > MOST_ROUTERS:
            raise MeshError(where, f"has {self.n_routers:,} routers, expected at most "
                            f"{MOST_ROUTERS:,}")
        if self.chip is None and (self.chip_latency, self.chip_interval) != (1, 1):
            raise MeshError(where, "links between chips differ, but there is one chip",
                            "Give --chip COLUMNSxROWS.")
        if self.chip and (min(self.chip) < 1 or self.width % self.chip[0]
                          or self.height % self.chip[1]):
            raise MeshError(where, f"chips of {self.chip[0]}x{self.chip[1]} routers do not fill "
                            f"{self.width}x{self.height}",
                            "Take chips whose columns and rows divide those of the mesh.")

    @property
    def n_routers(self) -> int:
        """All routers."""
        return self.width * self.height

    @property
    def n_nodes(self) -> int:
        """All cores."""
        return self.n_routers * self.cores

    @property
    def ports(self) -> int:
        """Inputs of a router, and outputs: four links, and its cores."""
        return len(DIRECTIONS) + self.cores

    def links(self, on_chip: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the ports lead, in how many cycles, and how often; (n_routers * ports,) int64.

        The port at the other end (-1 for cores and at the rim), which is both the input that an
        output feeds and the output that feeds an input; the cycles of the link (`on_chip` within a
        chip, 1 to cores); the cycles from one packet to the next.
        """
        far = np.full((self.n_routers, self.ports), -1, np.int64)
        latency, interval = np.ones_like(far), np.ones_like(far)
        router = np.arange(self.n_routers)
        x, y = router % self.width, router // self.width
        chip_x, chip_y = self.chip or (self.width, self.height)
        for port, (dx, dy) in enumerate(DIRECTIONS):
            to_x, to_y = x + dx, y + dy
            inside = (to_x >= 0) & (to_x < self.width) & (to_y >= 0) & (to_y < self.height)
            far[inside, port] = ((to_y * self.width + to_x) * self.ports + (port ^ 1))[inside]
            across = (to_x // chip_x != x // chip_x) | (to_y // chip_y != y // chip_y)
            latency[:, port] = np.where(across, self.chip_latency, on_chip)
            interval[:, port] = np.where(across, self.chip_interval, 1)
        return far.ravel(), latency.ravel(), interval.ravel()
