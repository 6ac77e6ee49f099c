"""The memory of a chip, page by page as it is written."""

from __future__ import annotations

PAGE = 4096
SDRAM, SDRAM_BYTES = 0x60000000, 0x8000000
SYSTEM_RAM, HIGH_VECTORS = 0xE5000000, 0xF5000000  # one memory of 32 KiB at two addresses
ROUTER = 0xE1000000
# first address, bytes, first address of the memory that it is
RANGES = ((SDRAM, SDRAM_BYTES, SDRAM), (0x70000000, SDRAM_BYTES, SDRAM),
          (SYSTEM_RAM, 0x8000, SYSTEM_RAM), (HIGH_VECTORS, 0x8000, SYSTEM_RAM),
          (ROUTER, 0x20000, ROUTER))


class AddressError(ValueError):
    """An address without memory behind it, or more pages than the board may take."""


class Budget:
    """How many further pages a board may take, so that no packet fills the host's memory."""

    def __init__(self, n_bytes: int) -> None:
        self._left = n_bytes // PAGE

    def take(self) -> None:
        """One page, or AddressError."""
        if self._left == 0:
            raise AddressError("the emulated board has no more memory")
        self._left -= 1


class Memory:
    """Bytes by address; what was never written is 0."""

    def __init__(self, budget: Budget) -> None:
        self._pages: dict[int, bytearray] = {}
        self._budget = budget

    def read(self, address: int, n_bytes: int) -> bytes:
        """`n_bytes` from `address` on."""
        at, found = _real(address, n_bytes), bytearray()
        while len(found) < n_bytes:
            begin = (at + len(found)) % PAGE
            size = min(PAGE - begin, n_bytes - len(found))
            page = self._pages.get((at + len(found)) // PAGE)
            found += page[begin : begin + size] if page else bytes(size)
        return bytes(found)

    def write(self, address: int, data: bytes) -> None:
        """Put `data` at `address`."""
        at, done = _real(address, len(data)), 0
        while done < len(data):
            number, begin = divmod(at + done, PAGE)
            size = min(PAGE - begin, len(data) - done)
            if number not in self._pages:
                self._budget.take()
                self._pages[number] = bytearray(PAGE)
            self._pages[number][begin : begin + size] = data[done : done + size]
            done += size

    def word(self, address: int) -> int:
        """The little-endian word at `address`."""
        return int.from_bytes(self.read(address, 4), "little")

    def put(self, address: int, *words: int) -> None:
        """Write words of 32 bits."""
        self.write(address, b"".join(word.to_bytes(4, "little") for word in words))


def _real(address: int, n_bytes: int) -> int:
    for first, size, real in RANGES:
        if first <= address and address + n_bytes <= first + size:
            return real + address - first
    raise AddressError(f"no memory at {address:#x}, {n_bytes} bytes")
