"""A chip as its monitor keeps it: system variables, heap, routing table, and its cores' states."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from memory import ROUTER, SDRAM, SYSTEM_RAM, Budget, Memory

CORES = 18
VARIABLES = SYSTEM_RAM + 0x7F00  # SpiNNMan 7.4.1 system_variable_boot_values.py has their places
CORE_INFO, CORE_INFO_BYTES = SYSTEM_RAM + 0x7000, 128  # spinnman/constants.py
STATE, NAME, NAME_BYTES, USER_0 = 46, 72, 16, 112  # of a core's info: spinnman/model/cpu_info.py
DEAD, RUN_TIME_ERROR, RUNNING, SYNC_0, PAUSED, IDLE = 0, 2, 7, 8, 10, 15
HEAP, HEAP_BYTES = SDRAM + 0x240000, 123469792  # SpiNNMachine 7.4.1, max_sdram_per_chip
SYSTEM_SDRAM = SDRAM + 0x7800000  # where SpiNNMan puts tables and programs
TABLE_COPY = SYSTEM_SDRAM + 0x100000
ENTRIES, ENTRY = 1024, struct.Struct("<2xBxIII")
LOADED = struct.Struct("<H2xIII")
UNUSED = 0xFF000000
FREE = (0, UNUSED, 0, 0)  # app, route, key, mask of an entry that nobody has claimed
P2P, P2P_NONE = ROUTER + 0x10000, 6
LINKS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
RETRY_TAG = 4  # spinnman/messages/scp/impl/sdram_alloc.py


@dataclass
class Core:
    """What runs on a core. `parity` is that of the next synchronisation."""

    state: int = IDLE
    app: int = 0
    program: str = ""
    parity: int = 0
    run_until: int = 0


@dataclass
class Block:
    """A piece of the heap."""

    address: int
    size: int
    app: int
    tag: int


@dataclass
class Chip:
    """One chip at `place`, of a board of `size` columns and rows."""

    place: tuple[int, int]
    memory: Memory
    cores: list[Core] = field(default_factory=lambda: [Core() for _ in range(CORES)])
    heap: list[Block] = field(default_factory=list)
    routes: list[tuple[int, int, int, int]] = field(
        default_factory=lambda: [FREE] * ENTRIES)  # app, route, key, mask

    def start(self, size: tuple[int, int], ethernet: tuple[int, int, int, int]) -> None:
        """Write the system variables; `ethernet` is this chip's address or zeros."""
        put = self.memory.write
        put(VARIABLES, bytes([self.place[1], self.place[0], size[1], size[0]]))
        put(VARIABLES + 0x0B, bytes([any(ethernet)]))
        put(VARIABLES + 0x65, bytes([0x3F]))
        both = bytes(range(CORES)) + bytes([0xFF, 0xFF])
        put(VARIABLES + 0x94, both + both)
        put(VARIABLES + 0xBC, bytes([CORES, 0]))
        self.memory.put(VARIABLES + 0xC0, SDRAM)
        self.memory.put(VARIABLES + 0xC8, SYSTEM_SDRAM)
        self.memory.put(VARIABLES + 0xCC, CORE_INFO)
        self.memory.put(VARIABLES + 0xD4, TABLE_COPY)
        put(VARIABLES + 0xF0, bytes(ethernet))
        for number in range(CORES):
            self.set_state(number, RUNNING if number == 0 else IDLE)
        self._copy_routes(range(ENTRIES))

    def set_state(self, number: int, state: int) -> None:
        """The state of a core, where the host reads it too."""
        core = self.cores[number]
        core.state = state
        self.memory.write(CORE_INFO + CORE_INFO_BYTES * number + STATE, bytes([state, core.app]))

    def info(self, alive: list[int], parent: int, root: tuple[int, int]) -> bytes:
        """What CMD_INFO answers: spinnman/model/chip_summary_info.py."""
        links = sum(1 << 8 + link for link in alive)
        free = sum(route[1] == UNUSED for route in self.routes[1:])
        flags = CORES | links | free << 14 | (self.place == root) << 25
        address = self.memory.read(VARIABLES + 0xF0, 4)
        return (struct.pack("<3I", flags, self.largest_free(), 0x2000)
                + bytes(core.state for core in self.cores) + bytes([root[1], root[0]])
                + address + struct.pack("<H", parent))

    def largest_free(self) -> int:
        """Bytes of the largest gap of the heap."""
        return max(end - begin for begin, end in self._gaps())

    def allocate(self, app: int, size: int, tag: int, retried: bool) -> int:
        """The address of a new block, 0 if there is none or the tag is taken.

        retried  a taken tag of this size is answered again, as SC&MP does for a repeated command
        """
        size = -(-size // 4) * 4
        if tag:
            for block in self.heap:
                if (block.app, block.tag) == (app, tag):
                    return block.address if retried and block.size == size else 0
        for begin, end in self._gaps():
            if 0 < size <= end - begin:
                self.heap.append(Block(begin, size, app, tag))
                return begin
        return 0

    def free(self, app: int) -> None:
        """Give back all blocks of an application."""
        self.heap = [block for block in self.heap if block.app != app]

    def claim_routes(self, app: int, n: int) -> int:
        """The first of `n` neighbouring unused entries, 0 if there are none; 0 is reserved."""
        run = 0
        for i in range(1, ENTRIES):
            run = run + 1 if self.routes[i] == FREE else 0
            if run == n:
                first = i - n + 1
                self.routes[first : i + 1] = [(app, UNUSED, 0, 0)] * n
                return first
        return 0

    def load_routes(self, app: int, n: int, table: int, first: int) -> bool:
        """Take `n` entries from memory; whether they have a place."""
        if not (1 <= first and first + n <= ENTRIES):
            return False
        words = self.memory.read(table, n * LOADED.size)
        for i, (_, route, key, mask) in enumerate(LOADED.iter_unpack(words)):
            self.routes[first + i] = (app, route, key, mask)
        self._copy_routes(range(first, first + n))
        return True

    def clear_routes(self, app: int | None = None) -> None:
        """Forget the entries of `app`, or all."""
        own = [i for i, route in enumerate(self.routes)
               if route != FREE and (app is None or route[0] == app)]
        for i in own:
            self.routes[i] = FREE
        if own:
            self._copy_routes(range(own[0], own[-1] + 1))

    def _copy_routes(self, numbers: range) -> None:
        self.memory.write(TABLE_COPY + numbers.start * ENTRY.size,
                          b"".join(ENTRY.pack(*self.routes[i]) for i in numbers))

    def _gaps(self) -> list[tuple[int, int]]:
        gaps, at = [], HEAP
        for block in sorted(self.heap, key=lambda block: block.address):
            gaps.append((at, block.address))
            at = block.address + block.size
        return [*gaps, (at, HEAP + HEAP_BYTES)]


def new_chip(place: tuple[int, int], budget: Budget) -> Chip:
    """A chip that nothing was loaded to."""
    return Chip(place=place, memory=Memory(budget))
