"""What each core's program reads from SDRAM, region by region, as sPyNNaker 7.4.1 writes it.

Regions of IF_curr_exp and IF_curr_delta are numbered in population_machine_vertex.py (`REGIONS`),
those of the source of input spikes in reverse_ip_tag_multicast_source_machine_vertex.py, those of
the gatherer of output spikes in live_packet_gather_machine_vertex.py. What only a program that
builds synapses or neurons on the chip would read (CONNECTOR_BUILDER, NEURON_BUILDER) is left out:
our rows and parameters are whole. Nor are there bit fields, which spare a core some look-ups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5

import numpy as np
from nmcompile_backends.spinnaker.accum import ONE
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron
from nmcompile_backends.spinnaker.ring import TYPE_BITS, bits_for

from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array

SYSTEM, CORE_PARAMS, NEURON_PARAMS, CURRENT_SOURCES, SYNAPSE_PARAMS = 0, 1, 2, 3, 4
POPULATION_TABLE, SYNAPTIC_MATRIX, NEURON_RECORDING, PROVENANCE, PROFILING = 5, 6, 9, 10, 11
BIT_FIELDS, RECORDING, INITIAL_VALUES = 14, 15, 16
CONFIGURATION, SOURCE_RECORDING, SEND_BUFFER, SOURCE_PROVENANCE = 1, 2, 3, 4
GATHERER_PROVENANCE = 2
RUN_PORT, INPUT_PORT = 3, 1  # of SDP: spinnman/model/enums/sdp_ports.py
BUFFERED_PACKETS = 256  # spynnaker.cfg, incoming_spike_buffer_size
SYSTEM_PROVENANCE = 6  # words: provides_provenance_data_from_machine_impl.py
NEURON_PROVENANCE = 22  # words more of a core with neurons and synapses
SOURCE_ITEMS, GATHERER_ITEMS = 5, 4
STATES = 3  # v, gsyn_exc and gsyn_inh, which are not recorded
CHANNELS, SPIKES = 6, 3  # of recording: states, spikes, packets and rewires of each step
SEND_BUFFER_BYTES = 1 << 20
OFFSET_OF_STEP = 20  # a 20th of a step: `_write_configuration`
KEYS_32 = 2  # type of an EIEIO message, spinnman/messages/eieio/eieio_type.py
GATHERER_CONFIGURATION_WORDS = 15


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """A region of `size` bytes, of which `words` are written."""

    words: Array
    size: int


Regions = dict[int, Region]


def neuron_regions(
    population: Population, neurons: Array, keys: Array | None, slots: int, steps: int,
    step_us: int,
) -> Regions:
    """All regions of a core of neurons but those of its synapses.

    neurons  flat numbers of the core's neurons
    keys     (n,) what each sends, None where none is heard
    slots    steps that its ring buffer reaches ahead
    steps    whose spikes the recording has room for
    step_us  microseconds from one step to the next
    """
    neuron, n = population.neuron, len(neurons)
    assert isinstance(neuron, SpinnakerNeuron)
    shifts = (neuron.shift_exc, neuron.shift_inh)
    index = bits_for(n)
    parameters = neuron_words(population, neurons)
    sent = np.zeros(n, np.int64) if keys is None else keys
    return {
        SYSTEM: _written(system_words(program_of(neuron), step_us)),
        CORE_PARAMS: _written([keys is not None, n, 1 << index, 4, len(shifts), *shifts, *sent]),
        NEURON_PARAMS: _written(parameters),
        CURRENT_SOURCES: _written([0]),
        SYNAPSE_PARAMS: _written([n, len(shifts), index, TYPE_BITS, bits_for(slots), 0,
                                  BUFFERED_PACKETS, *shifts]),
        NEURON_RECORDING: _written(_recording_words(n)),
        PROVENANCE: _empty(4 * (SYSTEM_PROVENANCE + NEURON_PROVENANCE)),
        PROFILING: _written([0]),
        BIT_FIELDS: _written([0]),
        RECORDING: _written(recording_header(recorded_bytes(n) * steps)),
        INITIAL_VALUES: _empty(4 * len(parameters)),
    }


def source_regions(step_us: int) -> Regions:
    """The regions of the core that sends input spikes, each with the key that the host gives."""
    words = [0, 0, 0, 0, 1, 0, 0, SEND_BUFFER_BYTES, SEND_BUFFER_BYTES + 256, 0, 0, INPUT_PORT,
             step_us // OFFSET_OF_STEP]
    return {
        SYSTEM: _written(system_words("reverse_iptag_multicast_source", step_us)),
        CONFIGURATION: _written(words),
        SOURCE_RECORDING: _written([1, 0, 0, 0]),
        SEND_BUFFER: _empty(SEND_BUFFER_BYTES),
        SOURCE_PROVENANCE: _empty(4 * (SYSTEM_PROVENANCE + SOURCE_ITEMS)),
    }


def gatherer_regions(tag: int, step_us: int) -> Regions:
    """The regions of a core that sends the spikes of its chip to the host, with their step.

    tag  of the host's address, on the chip at 0, 0
    """
    words = [0, 0, 0, KEYS_32, 0, 1, 1, 0, 0, tag, 0, 0, 0xFFFFFFFF, 0, 0]
    return {
        SYSTEM: _written(system_words("live_packet_gather", step_us)),
        CONFIGURATION: _written(words),
        GATHERER_PROVENANCE: _empty(4 * (SYSTEM_PROVENANCE + GATHERER_ITEMS)),
    }


def program_of(neuron: SpinnakerNeuron) -> str:
    """The name of the program for `neuron`, without its ".aplx"."""
    return "IF_curr_delta" if neuron.delta else "IF_curr_exp"


def system_words(program: str, step_us: int) -> list[int]:
    """The simulation's header: a hash of the program's name, the step, the port for run times."""
    digest = md5(program.encode(), usedforsecurity=False).hexdigest()
    return [int(digest[:8], 16), step_us, RUN_PORT]


def neuron_words(population: Population, neurons: Array) -> Array:
    """(w,) uint32 the structs of all neurons, one kind after the other (neuron_impl_standard.h)."""
    neuron = population.neuron
    assert isinstance(neuron, SpinnakerNeuron)

    def struct(*fields: Array | int) -> Array:
        columns = [np.broadcast_to(field, population.shape).reshape(-1)[neurons]
                   for field in fields]
        return np.stack(columns, axis=1).reshape(-1).astype(np.int64)

    parts = [np.ones(1, np.int64), struct(
        neuron.v_init, neuron.v_rest, neuron.cm, neuron.tau_m, neuron.i_offset, neuron.v_reset,
        np.asarray(neuron.refractory, np.int64) * ONE, neuron.early, ONE)]
    if neuron.delta:
        parts += [struct(ONE), struct(neuron.threshold), struct(neuron.exc_init, neuron.inh_init)]
    else:
        parts += [struct(neuron.threshold), struct(neuron.tau_syn_e, neuron.exc_init,
                                                   neuron.tau_syn_i, neuron.inh_init, ONE)]
    return np.concatenate(parts).astype(np.uint32)


def recorded_bytes(n: int) -> int:
    """Bytes of a step's recorded spikes: its number, and a bit a neuron in whole words."""
    return 4 + 4 * -(-n // 32)


def recording_header(n_bytes: int) -> list[int]:
    """The channels of recording, of which that of the spikes has room for `n_bytes`."""
    sizes = [n_bytes if channel == SPIKES else 0 for channel in range(CHANNELS)]
    return [CHANNELS, *(word for size in sizes for word in (size, 0, 0))]


def _recording_words(n: int) -> Array:
    """Which neurons' states (none) and spikes (all) are recorded (neuron_recorder.py)."""
    even = n + n % 2
    index = np.zeros(even, "<u2")
    index[:n] = np.arange(n)
    none = [0, 0, 4, *np.zeros(even // 2, np.int64)]
    return np.array([STATES, 1, *(none * STATES), 1, n, *index.view("<u4")], np.uint32)


def _written(words: Sequence[int] | Array) -> Region:
    made = np.asarray(words, np.int64).astype(np.uint32)
    return Region(words=made, size=made.nbytes)


def _empty(size: int) -> Region:
    return Region(words=np.zeros(0, np.uint32), size=size)
