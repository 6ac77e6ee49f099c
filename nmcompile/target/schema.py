"""What a target file says: every constant with its unit, its source and its kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nmcompile.target.constants import Constant, Strict, Text
from nmcompile.target.costs import (
    NO_ENERGIES,
    NO_POWER,
    NO_TIMES,
    Cost,
    Count,
    Energies,
    Power,
    Times,
)

MAX_CORES = 1_000_000  # of a board; the largest machine built, SpiNNaker's, has 1,036,800 cores
Delay = Annotated[int, Field(ge=0, le=100_000)]
WeightBits = Annotated[int, Field(ge=2, le=16)]
PayloadBits = Annotated[int, Field(ge=0, le=32)]
Reset = Literal["none", "zero", "subtract"]
Place = Annotated[int, Field(ge=0, le=4095)]  # of a chip along one axis
MOST_ROUTED = 25  # cores that a route word of 32 bits names beside six links and the monitor
MOST_IN_NETWORK = 58  # cores whose ports are bits of 64 beside four links, a way in and the sign


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


class CycleFormula(Strict):
    """Cycles of a chip that runs its neurons one after the other, as its maker's formula has them.

    clock_hz          of the core
    margin            that the maker adds to the clock which a network needs, as a share of it
    input_channel     of each input channel in each step
    input_weight      of an input event, for each hidden neuron that inputs feed
    hidden_current    of each hidden neuron in each step, for its synaptic current
    hidden_fixed      of each hidden neuron in each step, for its membrane
    recurrent_weight  of a hidden spike, for each recurrent weight that is not 0
    output_visit      of a hidden spike that outputs listen to
    output_weight     of such a spike, for each output neuron
    output_fixed      of each output neuron in each step
    spike             of a hidden neuron: that fires or gets an alias' copy, that sends or gets a
                      copy, that fires, that sends a copy
    all_hidden        whether every hidden neuron counts as fed and listened to
    """

    clock_hz: Constant[Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]]
    margin: Constant[Cost]
    input_channel: Constant[Cost]
    input_weight: Constant[Cost]
    hidden_current: Constant[Cost]
    hidden_fixed: Constant[Cost]
    recurrent_weight: Constant[Cost]
    output_visit: Constant[Cost]
    output_weight: Constant[Cost]
    output_fixed: Constant[Cost]
    spike: Constant[tuple[Cost, Cost, Cost, Cost]]
    all_hidden: Constant[bool]


class EventPipeline(Strict):
    """Seconds of a chip without steps, whose cores handle events as they come.

    chip       of an event from the input pads to the first core and from the last to the pads
    core       from the beginning of an event in a core to its first output event at the next core
    operation  of a synaptic operation, for each core of a chip: a core does one after the other
    """

    chip: Constant[Cost]
    core: Constant[Cost]
    operation: Constant[list[Cost]]


class TimerLoop(Strict):
    """Seconds of processors that update neurons on a timer and take spikes as interrupts.

    The rest is in `time_s`, the fetching of a row all in one (`packet_in`); here it is in parts.

    timer        of a tick ahead of its updates
    receive      of a packet, that interrupts everything
    start        of the interrupt that begins to fetch rows
    lookup       of finding the row of a spike, and of each halving of the table of sources
    transfer     of beginning the transfer of a row
    row, skipped  of a row besides its synapses; of each that is left out, where it is late
    fetch        that the transfer of a row takes beside the processor
    buffer, ticks  packets that wait for their rows, and ticks for their updates; more are lost
    colours      ticks of which a spike says which one sent it
    link         of a packet on a link between chips
    """

    timer: Constant[Cost]
    receive: Constant[Cost]
    start: Constant[Cost]
    lookup: Constant[tuple[Cost, Cost]]
    transfer: Constant[Cost]
    row: Constant[Cost]
    skipped: Constant[Cost]
    fetch: Constant[Cost]
    buffer: Constant[Count]
    ticks: Constant[Count]
    colours: Constant[Count]
    link: Constant[Cost]


class Surroundings(Strict):
    """What lies around the chips: the boundary of their figures, and what is known beyond it.

    boundary     what time and energy hold and what they do not, in words
    packet       joules of a packet that enters through the chip's pads
    interface    watts of the chip's pads, for each chip in use
    sensor       watts of the sensor and its front end, for each chip in use
    processors   watts of processors beside the cores, for each chip in use
    board        watts of the board besides its chips, for each of its chips
    host_sample  seconds that a host's input and output add to a sample of the workload that the
                 source names
    """

    boundary: Constant[Text]
    packet: Constant[Cost] | None = None
    interface: Constant[Cost] | None = None
    sensor: Constant[Cost] | None = None
    processors: Constant[Cost] | None = None
    board: Constant[Cost] | None = None
    host_sample: Constant[Cost] | None = None


class Target(Strict):
    """A chip or board: limits, formats, and the cost of each event.

    family  the backend that knows the chip's arithmetic and its files
    time_s, energy_j, power_w  all of them, or none where no costs are known; `io.boundary` then
            says why
    network  only of chips whose cores and routers are told apart, and not if they have `router`
    io      what is outside of the chips' figures; without it nothing is known of that
    ends    only of chips with inputs and outputs of their own
    router  only of chips whose routers copy packets by their keys; without it chips stand in a
            row and packets go in dimension order
    cycle_formula, event_pipeline, timer_loop  only of chips with a time of their own, for the
            backend's model
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    title: str
    family: str
    board: Board
    core: Core
    formats: Formats
    time_s: Times | None = None
    energy_j: Energies | None = None
    power_w: Power | None = None
    network: ChipNetwork | None = None
    io: Surroundings | None = None
    ends: Ends | None = None
    router: Router | None = None
    cycle_formula: CycleFormula | None = None
    event_pipeline: EventPipeline | None = None
    timer_loop: TimerLoop | None = None

    @model_validator(mode="after")
    def _costs_are_whole(self) -> Target:
        costs = ("time_s", "energy_j", "power_w")
        models = (self.network, self.cycle_formula, self.event_pipeline, self.timer_loop)
        missing = [name for name in costs if getattr(self, name) is None]
        if missing and len(missing) < len(costs):
            raise ValueError(f"{missing[0]} is missing: give all of {', '.join(costs)}, or none")
        if missing and (self.io is None or any(models)):
            raise ValueError("without time_s a target has no model of time, and io.boundary says "
                             "why its costs are not known")
        return self

    @model_validator(mode="after")
    def _barrier_rises(self) -> Target:
        if self.time_s is None:
            return self
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

    @model_validator(mode="after")
    def _models_of_time_fit(self) -> Target:
        tile, tick = self.board.cores_per_tile.value, self.times.tick
        if self.network is not None and self.router is not None:
            raise ValueError("network: a target has either [network] or [router], not both")
        if self.network is not None and tile > MOST_IN_NETWORK:
            raise ValueError(f"network: board.cores_per_tile is {tile:,}, expected "
                             f"{MOST_IN_NETWORK} or less")
        operations = self.event_pipeline and len(self.event_pipeline.operation.value)
        if operations is not None and operations != self.cores_per_chip:
            raise ValueError(f"event_pipeline.operation has {operations:,} entries, expected one "
                             f"for each of the {self.cores_per_chip:,} cores of a chip")
        if self.timer_loop is not None and (tick is None or not tick.value):
            raise ValueError("timer_loop needs a time_s.tick above 0")
        return self

    @property
    def costs_known(self) -> bool:
        """Whether sources say what events cost; if not, they are counted alone."""
        return self.time_s is not None

    @property
    def times(self) -> Times:
        """Seconds of events, 0 where no costs are known: for counting events, not for telling."""
        return self.time_s or NO_TIMES

    @property
    def energies(self) -> Energies:
        """Joules of events; as `times`."""
        return self.energy_j or NO_ENERGIES

    @property
    def power(self) -> Power:
        """Watts that flow; as `times`."""
        return self.power_w or NO_POWER

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
            for section in ("board", "router", "core", "ends", "formats", "time_s",
                            "network", "cycle_formula", "event_pipeline", "timer_loop", "energy_j",
                            "power_w", "io")
            for name, constant in getattr(self, section) or ()
            if constant is not None
        }

    def estimates(self) -> tuple[str, ...]:
        """Dotted names of the constants that are estimates."""
        return tuple(name for name, c in self.constants().items() if c.kind == "estimate")
