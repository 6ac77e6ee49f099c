"""What a target file says: every constant with its unit, its source and its kind."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

T = TypeVar("T")
Kind = Literal["measured", "published", "estimate"]
MOST = 2**40  # of anything countable
MAX_CORES = 1_000_000  # of a board; the largest machine built, SpiNNaker's, has 1,036,800 cores
Count = Annotated[int, Field(ge=1, le=MOST)]
Delay = Annotated[int, Field(ge=0, le=100_000)]
WeightBits = Annotated[int, Field(ge=2, le=16)]
PayloadBits = Annotated[int, Field(ge=0, le=32)]
Cost = Annotated[float, Field(ge=0, le=1e3, allow_inf_nan=False)]  # of one event
Reset = Literal["none", "zero", "subtract"]
Place = Annotated[int, Field(ge=0, le=4095)]  # of a chip along one axis
MOST_ROUTED = 25  # cores that a route word of 32 bits names beside six links and the monitor


class Strict(BaseModel):
    """A table of a target file: no field may be missing, none may be unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Constant(Strict, Generic[T]):
    """One number of a chip.

    kind  measured on silicon, published by the maker or in a paper, or an estimate of ours
    """

    value: T
    unit: str
    kind: Kind
    source: Annotated[str, Field(min_length=8)]


class Board(Strict):
    """How many chips there are and how their tiles lie.

    mesh_width, mesh_height  tiles of one chip; chips stand in a row along x
    """

    chips: Constant[Count]
    mesh_width: Constant[Count]
    mesh_height: Constant[Count]
    cores_per_tile: Constant[Count]


class Core(Strict):
    """What one core holds.

    axon_sources    neurons of one slice that may share an axon where rows are dense or a kernel is
                    shared; 1 where each has its own
    shared_kernels  true where a convolution stores its kernel once for each core
    ring_bits       that name a neuron, one of two kinds of synapse and a step, where a core keeps
                    sums for the steps to come
    compartment_profiles, threshold_profiles, synapse_formats  how many different ones a core tells
                    apart, where that is limited
    """

    neurons: Constant[Count]
    synapse_bits: Constant[Count]
    input_axons: Constant[Count]
    output_axons: Constant[Count]
    axon_sources: Constant[Count]
    shared_kernels: Constant[bool]
    ring_bits: Constant[Annotated[int, Field(ge=1, le=40)]] | None = None
    compartment_profiles: Constant[Count] | None = None
    threshold_profiles: Constant[Count] | None = None
    synapse_formats: Constant[Count] | None = None


class Router(Strict):
    """Routers that match the keys of packets, one on each chip, and how they are linked.

    Chips are numbered along x, then y; their cores are 1, 2, ... of the router's words.

    width, height  columns and rows of chips of the smallest rectangle around the board
    missing        [x, y] of the places in it without a chip
    links          "mesh" of four ways out of a chip, or "triangular" with northeast and southwest
    wrap           whether a link that leaves the rectangle enters it on the other side
    missing_links  [x, y, link] that lead nowhere; 0 to 5 are east, northeast, north, west,
                   southwest and south
    entries        of a routing table that may be used
    key_bits       of a packet
    spare_bits     low bits of a key that each neuron has for itself
    """

    width: Constant[Count]
    height: Constant[Count]
    missing: Constant[list[tuple[Place, Place]]]
    links: Constant[Literal["mesh", "triangular"]]
    wrap: Constant[bool]
    missing_links: Constant[list[tuple[Place, Place, Annotated[int, Field(ge=0, le=5)]]]]
    entries: Constant[Annotated[int, Field(ge=1, le=2**20)]]
    key_bits: Constant[Annotated[int, Field(ge=1, le=32)]]
    spare_bits: Constant[Annotated[int, Field(ge=0, le=16)]]


class Ends(Strict):
    """What a chip has whose inputs and outputs are channels and neurons of their own.

    `core.neurons` counts hidden and output neurons together.

    input_targets       hidden neurons that inputs may reach, the first ones
    output_sources      hidden neurons that outputs may listen to, the last ones
    recurrent_synapses  weights between hidden neurons, those of one layer to the next among them
    """

    input_channels: Constant[Count]
    input_targets: Constant[Count]
    output_neurons: Constant[Count]
    output_sources: Constant[Count]
    recurrent_synapses: Constant[Count]


class Formats(Strict):
    """Number formats of spikes, weights and neurons.

    payload_bits  bits of a graded spike, 0 where spikes are binary
    resets        what a spike may do to the membrane
    """

    weight_bits: Constant[WeightBits]
    payload_bits: Constant[PayloadBits]
    max_delay: Constant[Delay]
    resets: Constant[list[Reset]]


class Times(Strict):
    """Seconds of one event.

    barrier  list of [active tiles, seconds], interpolated
    tick     from one step to the next where a timer starts them, whatever the work
    """

    neuron_update: Constant[Cost]
    spike_out: Constant[Cost]
    packet_out: Constant[Cost]
    packet_in: Constant[Cost]
    synaptic_event: Constant[Cost]
    hop_x: Constant[Cost]
    hop_y: Constant[Cost]
    hop_chip: Constant[Cost]
    barrier: Constant[list[tuple[Count, Cost]]]
    tick: Constant[Cost] | None = None


class ChipNetwork(Strict):
    """What packets of a mesh wait for, where cores are told apart from what is between them.

    buffer         packets that an input of a router holds
    core_buffer    packets that a core holds, the one in work among them
    interval       from one packet of a router's input or output to its next
    interval_chip  the same of a link between chips
    credit         from a packet's leaving a buffer until its place can be given away
    to_core        from a router to a core behind it
    """

    buffer: Constant[Annotated[int, Field(ge=1, le=4096)]]
    core_buffer: Constant[Annotated[int, Field(ge=1, le=2**20)]]
    interval: Constant[Cost]
    interval_chip: Constant[Cost]
    credit: Constant[Cost]
    to_core: Constant[Cost]


class Energies(Strict):
    """Joules of one event."""

    neuron_update: Constant[Cost]
    spike_out: Constant[Cost]
    packet_out: Constant[Cost]
    packet_in: Constant[Cost]
    synaptic_event: Constant[Cost]
    hop_x: Constant[Cost]
    hop_y: Constant[Cost]
    hop_chip: Constant[Cost]


class Power(Strict):
    """Watts that flow whatever happens, for each powered chip."""

    static: Constant[Cost]


class Target(Strict):
    """A chip or board: limits, formats, and the cost of each event.

    family  the backend that knows the chip's arithmetic and its files
    network  only of chips whose cores and routers are told apart, and not if they have `router`
    ends    only of chips with inputs and outputs of their own
    router  only of chips whose routers copy packets by their keys; without it chips stand in a
            row and packets go in dimension order
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: str
    family: str
    board: Board
    core: Core
    formats: Formats
    time_s: Times
    energy_j: Energies
    power_w: Power
    network: ChipNetwork | None = None
    ends: Ends | None = None
    router: Router | None = None

    @model_validator(mode="after")
    def _barrier_rises(self) -> Target:
        tiles = [point[0] for point in self.time_s.barrier.value]
        if not tiles or tiles != sorted(set(tiles)):
            raise ValueError("time_s.barrier must list [active tiles, seconds] by rising tiles")
        return self

    @model_validator(mode="after")
    def _sizes_are_possible(self) -> Target:
        if self.n_cores > MAX_CORES:
            raise ValueError(f"board has {self.n_cores:,} cores, at most {MAX_CORES:,} can be used")
        if self.formats.payload_bits.value == 1:
            raise ValueError("formats.payload_bits is 1, expected 0 (binary) or 2 to 32 (signed)")
        return self

    @model_validator(mode="after")
    def _sums_to_come_have_room(self) -> Target:
        if self.core.ring_bits is None:
            return self
        need = 1 + sum(max(1, (n - 1).bit_length()) for n in (
            self.core.neurons.value, self.formats.max_delay.value))
        if need > self.core.ring_bits.value:
            raise ValueError(
                f"core.neurons {self.core.neurons.value} with formats.max_delay "
                f"{self.formats.max_delay.value} take {need} bits, core.ring_bits has "
                f"{self.core.ring_bits.value}")
        return self

    @model_validator(mode="after")
    def _routers_are_on_the_board(self) -> Target:
        if self.router is None:
            return self
        board, router = self.board, self.router
        width, height = router.width.value, router.height.value
        missing = set(router.missing.value)
        if (board.mesh_width.value, board.mesh_height.value) != (1, 1):
            raise ValueError("board: a chip with a router has one tile (mesh_width, mesh_height)")
        if board.cores_per_tile.value > MOST_ROUTED:
            raise ValueError(f"board.cores_per_tile is {board.cores_per_tile.value}, a router's "
                             f"word names {MOST_ROUTED} at most")
        for x, y, *_ in (*router.missing.value, *router.missing_links.value):
            if x >= width or y >= height:
                raise ValueError(f"router: [{x}, {y}] is outside of its {width} x {height} chips")
        if any((x, y) in missing for x, y, _ in router.missing_links.value):
            raise ValueError("router.missing_links has a link of a chip in router.missing")
        if (0, 0) in missing:
            raise ValueError("router.missing has the chip [0, 0], where spikes enter")
        if width * height - len(missing) != board.chips.value:
            raise ValueError(f"router: {width} x {height} chips without {len(missing)} are not the "
                             f"{board.chips.value} of board.chips")
        return self

    @property
    def cores_per_chip(self) -> int:
        """Cores on one chip."""
        board = self.board
        return board.mesh_width.value * board.mesh_height.value * board.cores_per_tile.value

    @property
    def n_cores(self) -> int:
        """Cores on the whole board."""
        return self.cores_per_chip * self.board.chips.value

    def constants(self) -> dict[str, Constant[object]]:
        """Every constant by its dotted name, in the order of the file."""
        return {
            f"{section}.{name}": constant
            for section in ("board", "router", "core", "ends", "formats", "time_s", "network",
                            "energy_j", "power_w")
            for name, constant in getattr(self, section) or ()
            if constant is not None
        }

    def estimates(self) -> tuple[str, ...]:
        """Dotted names of the constants that are estimates."""
        return tuple(name for name, c in self.constants().items() if c.kind == "estimate")
