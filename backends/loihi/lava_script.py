"""The network as a script of Lava processes, with its weights in arrays beside it.

Layouts: populations are flat in C-order of (channel, row, column). Lava's Conv takes and gives
(x, y, channel) and convolves where torch correlates, so its kernel is flipped and ports are
transposed on both sides. Lava's own LIF stands where it can; it wraps u by one turn only, so a step
that brings more than 2**18 units of weight differs there from the chip's 24 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path
from types import MappingProxyType

import numpy as np
from nmcompile_backends.data_text import READ, USAGE, inputs_table, tables
from nmcompile_backends.loihi import lava_text as text
from nmcompile_backends.loihi import lava_text_microcode as microcode
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.arithmetic import STATE_SHIFT, LoihiNeuron
from nmcompile_backends.loihi.relay import STATE_BITS, LoihiRelay
from nmcompile_backends.loihi.resonator import LoihiResonator
from nmcompile_backends.loihi.sigma_delta import MESSAGE_SHIFT, LoihiSigmaDelta
from nmcompile_backends.loihi.start_gates import gated

from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons import Reset
from nmcompile.ir.neurons.base import Array

SCRIPT, ARRAYS = "lava_model.py", "arrays.npz"
Arrays = dict[str, Array]
Latency = Mapping[str, int]
NO_LAG: Latency = MappingProxyType({})
Store = Callable[[str, Array], str]  # keeps an array by name, gives the script's words for it


def write_lava(network: Network, folder: Path, latency: Latency = NO_LAG) -> dict[str, str]:
    """Write `lava_model.py` and `arrays.npz`; `latency` as in `lava_script`."""
    script, arrays = lava_script(network, latency)
    (folder / SCRIPT).write_bytes(script)
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    return {
        SCRIPT: "the network as Lava processes: python lava_model.py DATA OUTPUT.npz "
                "(Python 3.10, lava-nc 0.10)",
        ARRAYS: f"weights and parameters of {SCRIPT}",
    }


def lava_script(network: Network, latency: Latency = NO_LAG) -> tuple[bytes, Arrays]:
    """The bytes of `lava_model.py`, and the arrays that it reads.

    latency  steps by which each population lags its own time; one that is not named: 0, so that
             the script writes what Lava's clock counts
    """
    arrays: Arrays = {}
    return _script(network, latency, _body(network, arrays)).encode(), arrays


def _script(network: Network, latency: Latency, body: str) -> str:
    """The whole script; names of the user's stand in it as literals only."""
    head = text.HEAD.format(usage=USAGE)
    data = text.DATA.format(tables=tables(
        INPUTS=inputs_table(network), STEPS=network.steps,
        SHAPES={p.name: p.shape for p in network.populations},
        LAGS={p.name: latency.get(p.name, 0) for p in network.populations},
        RELAYS=[p.name for p in network.populations if isinstance(p.neuron, LoihiRelay)]))
    classes = (text.NEURON * ("= LoihiNeuron(" in body)
               + text.SHIFTED_CONV * ("= ShiftedConv(" in body)
               + microcode.SIGMA_DELTA * ("= LoihiSigmaDelta(" in body)
               + microcode.RESONATOR * ("= resonators(" in body)
               + microcode.OWN_RESONATOR * ("= LoihiResonator(" in body)
               + microcode.ADAPTIVE * ("= LoihiAdaptive(" in body)
               + text.DECAYED * ("= LoihiNeuron(" in body or "= LoihiAdaptive(" in body))
    code = f"{data}{classes}{body}{text.MAIN}{READ}"
    return f"{head}{_imports(code)}{code}"


def _imports(code: str) -> str:
    """Imports of what `code` uses."""
    lines = []
    for module, names in text.IMPORTS:
        used = [name for name in names if re.search(rf"\b{name.split()[-1]}\b", code)]
        if used:
            lines.append(f"from {module} import {', '.join(used)}\n")
    return "".join(lines)


def _body(network: Network, arrays: Arrays) -> str:
    held = gated(network)
    bits = {port.name: port.format.payload_bits or 0 for port in network.inputs}
    bits |= {p.name: STATE_BITS for p in network.populations if p.neuron.graded}
    parts = [text.BUILD]
    parts += [f"    node[{p.name!r}] = Source(data=sent[{p.name!r}])\n" for p in network.inputs]
    for number, population in enumerate(network.populations):
        store = partial(_store, arrays, f"population{number}")
        parts.append(_population(population, population.name in held, store))
    for number, projection in enumerate(network.projections):
        store = partial(_store, arrays, f"synapse{number}")
        size = prod(network.shape_of(projection.source))
        parts.append(_projection(projection, size, bits.get(projection.source, 0), store))
    return "".join(parts)


def _store(arrays: Arrays, owner: str, name: str, values: Array) -> str:
    """Keep `values` and give the script's expression for them."""
    arrays[f"{owner}_{name}"] = values
    return f'arrays["{owner}_{name}"]'


def _population(population: Population, held: bool, store: Store) -> str:
    neuron = population.neuron
    if isinstance(neuron, LoihiRelay):
        return _call(f"node[{population.name!r}]", "GradedVec",
                     [f"shape=({population.size},), vth=0,"])
    if isinstance(neuron, LoihiSigmaDelta):
        return _sigma_delta(population, neuron, held, store)
    if isinstance(neuron, LoihiResonator):
        return _resonators(population, neuron, store)
    if isinstance(neuron, LoihiAdaptive):
        return _adaptive(population, neuron, held, store)
    assert isinstance(neuron, LoihiNeuron)
    registers = (neuron.du, neuron.dv, neuron.threshold)
    du, dv, vth = (_each(population, values, name, store)
                   for values, name in zip(registers, ("du", "dv", "vth"), strict=True))
    lines = [f"shape=({population.size},), du={du}, dv={dv}, vth={vth},"]
    one = all(values.min() == values.max() for values in registers)
    if one and not held and neuron.reset is Reset.ZERO and neuron.refractory == 1 and (
        not (neuron.silent or neuron.inclusive)
    ):
        bias = _each(population, neuron.bias_mantissa, "bias_mant", store)
        lines.append(f"bias_mant={bias}, bias_exp={neuron.bias_exponent},")
        if neuron.u_init.any() or neuron.v_init.any():
            lines.append(f"{_started(population, neuron, store)},")
        return _call(f"node[{population.name!r}]", "LIF", lines)
    value = neuron.bias_mantissa.astype(np.int32) << neuron.bias_exponent
    lines.append(f"bias={_each(population, value, 'bias', store)}, "
                 f"refractory={neuron.refractory}, reset={reset_name(neuron)!r}, "
                 f"inclusive={neuron.inclusive},")
    lines.append(f"{_started(population, neuron, store)}, "
                 f"silent={neuron.silent}, start={population.start},")
    return _call(f"node[{population.name!r}]", "LoihiNeuron", lines)


def _adaptive(population: Population, neuron: LoihiAdaptive, held: bool, store: Store) -> str:
    """Lava's ATRLIF, which takes fractions, or where it has no words for a register our own."""
    names = ("du", "dv", "dtheta", "dr", "threshold", "threshold_step")
    values = [getattr(neuron, name) for name in names]
    start = ", ".join(f"{variable}={_each(population, init, name, store)}" for variable, init, name
                      in (("i", neuron.u_init, "u"), ("v", neuron.v_init, "v")))
    node, shape = f"node[{population.name!r}]", f"shape=({population.size},), {start},"
    if held or any(register.min() != register.max() for register in values):
        bias = neuron.bias_mantissa.astype(np.int32) << neuron.bias_exponent
        registers = (f"{name}={_each(population, register, name, store)}"
                     for name, register in zip(names, values, strict=True))
        return _call(node, "LoihiAdaptive", [
            shape, f"{', '.join(registers)},",
            f"bias={_each(population, bias, 'bias', store)}, start={population.start},"])
    du, dv, dtheta, dr, threshold, step = (int(register.min()) for register in values)
    mantissa = _each(population, neuron.bias_mantissa, "bias_mant", store)
    return _call(node, "ATRLIF", [
        shape, f"delta_i={du} / 4096, delta_v={dv} / 4096, delta_theta={dtheta} / 4096, "
        f"delta_r={dr} / 4096,",
        f"theta_0={threshold}, theta_step={step} / {2**STATE_SHIFT}, "
        f"bias_mant={mantissa}, bias_exp={neuron.bias_exponent},"])


def _started(population: Population, neuron: LoihiNeuron, store: Store) -> str:
    return (f"u={_each(population, neuron.u_init, 'u', store)}, "
            f"v={_each(population, neuron.v_init, 'v', store)}")


def _sigma_delta(
    population: Population, neuron: LoihiSigmaDelta, held: bool, store: Store
) -> str:
    """Lava's Delta or SigmaDelta; the exponents leave vth and bias what they are."""
    vth = _each(population, neuron.threshold, "vth", store)
    one = neuron.threshold.min() == neuron.threshold.max()
    plain = one and not (neuron.rectified or neuron.offset.any()
                         or np.any(neuron.threshold % (1 << MESSAGE_SHIFT)))
    if neuron.shift == MESSAGE_SHIFT and not neuron.accumulates and plain and not held:
        level = _each(population, neuron.threshold >> MESSAGE_SHIFT, "vth", store)
        return _call(f"node[{population.name!r}]", "Delta", [
            f"shape=({population.size},), vth={level}, spike_exp=0, state_exp={MESSAGE_SHIFT},"])
    mode, own = "RELU" if neuron.rectified else "UNIT", held or not (one and neuron.accumulates)
    exponents = "" if own else f"spike_exp=-{MESSAGE_SHIFT}, "
    return _call(f"node[{population.name!r}]", "LoihiSigmaDelta" if own else "SigmaDelta", [
        f"shape=({population.size},), vth={vth}, "
        f"bias={_each(population, neuron.offset, 'bias', store)},",
        f"act_mode=ActivationMode.{mode}, {exponents}state_exp={MESSAGE_SHIFT},",
        *([f"start={population.start}, shift={neuron.shift}, accumulates={neuron.accumulates},"]
          if own else [])])


def _resonators(population: Population, neuron: LoihiResonator, store: Store) -> str:
    """Lava's RF or RF_IZ, or where registers differ between neurons a process of our own."""
    registers = {name: _each(population, getattr(neuron, name), name, store)
                 for name in ("sin_decay", "cos_decay", "threshold")}
    shape = f"shape=({population.size},), "
    values = ", ".join(f"{name}={value}" for name, value in registers.items())
    if all(getattr(neuron, name).min() == getattr(neuron, name).max() for name in registers):
        kind = "RF" if neuron.phase else "RF_IZ"
        return _call(f"node[{population.name!r}]", "resonators",
                     [f"process={kind}, {shape}{values},"])
    return _call(f"node[{population.name!r}]", "LoihiResonator",
                 [f"{shape}{values}, phase={neuron.phase},"])


def reset_name(neuron: LoihiNeuron) -> str:
    """The reset of `neuron` with its time in one word."""
    late = neuron.reset is Reset.SUBTRACT and neuron.subtract_late
    return "subtract-late" if late else neuron.reset.value


def _each(population: Population, values: Array, name: str, store: Store) -> str:
    """The one value that all neurons share, or an expression for (n,) of them."""
    if values.min() == values.max():
        return str(int(values.min()))
    return store(name, np.broadcast_to(values, population.shape).reshape(-1))


def _call(target: str, process: str, lines: list[str]) -> str:
    body = "".join(f"        {line}\n" for line in lines)
    return f"    {target} = {process}(\n{body}    )\n"


def _projection(projection: Projection, n_sources: int, message_bits: int, store: Store) -> str:
    linear, (first, end) = projection.map, projection.sources or (0, n_sources)
    port = {None: "a_in", 0: "a_real_in", 1: "a_imag_in"}[projection.current]
    source, target = f"node[{projection.source!r}].s_out", f"node[{projection.target!r}].{port}"
    head = f"\n    # {projection.name!r}\n"
    if isinstance(linear, Conv):
        shape = (n_sources // prod(linear.in_shape[1:]), *linear.in_shape[1:])
        source += f".reshape({shape}).transpose([2, 1, 0])"
        made = _conv(linear, projection, shape, message_bits, store)
        sums = "synapse.a_out.transpose([2, 1, 0]).flatten()"
    else:
        assert isinstance(linear, Dense | Sparse)
        around = (first, n_sources - end)
        made = _matrix(linear, projection, around, message_bits, store)
        sums = "synapse.a_out"
    ends = f"    {source}.connect(synapse.s_in)\n    {sums}.connect({target})\n"
    return head + made + ends


def _conv(
    conv: Conv, projection: Projection, shape: tuple[int, ...], message_bits: int, store: Store
) -> str:
    """Conv from a source of `shape`, with no weights from channels that it does not take."""
    assert projection.format is not None
    c_in, height, width = shape
    before = (projection.sources or (0, 0))[0] // (height * width)
    kernel = _padded(store("kernel", conv.weight.astype(np.int32)), (
        (0, 0), (before, c_in - before - conv.in_shape[0]), (0, 0), (0, 0)))
    exponent, delay = projection.format.exponent, projection.delay
    lines = [
        "weight=kernel[:, :, ::-1, ::-1].transpose(0, 3, 2, 1),",
        f"input_shape={(width, height, c_in)}, stride={conv.stride[::-1]}, "
        f"padding={conv.padding[::-1]},",
        f"dilation={conv.dilation[::-1]}, groups={conv.groups}, num_message_bits={message_bits},",
    ]
    plain = exponent == 0 and delay == 1
    if not plain:
        lines.append(f"weight_exp={exponent}, delay={delay},")
    made = _call("synapse", "Conv" if plain else "ShiftedConv", lines)
    return f"    kernel = {kernel}\n{made}"


def _padded(array: str, widths: tuple[tuple[int, int], ...]) -> str:
    """The script's words for `array` with zeros around it."""
    return f"np.pad({array}, {widths})" if any(map(any, widths)) else array


def _matrix(
    linear: Dense | Sparse, projection: Projection, around: tuple[int, int], message_bits: int,
    store: Store,
) -> str:
    """Dense or Sparse, with Lava's delay of the network's delay less its own one step.

    Lava aligns weights of fewer than 8 bits to the high end; the exponent shifts the sum back.

    around  neurons of the source before and behind those that it takes
    """
    stored = projection.format
    assert stored is not None
    spare, extra = 8 - stored.bits, projection.delay - 1
    weights = store("weights", linear.weight.astype(np.int32) << spare)
    lines = [
        f"weights=weights, weight_exp={stored.exponent - spare}, num_weight_bits={stored.bits},",
        f"sign_mode=SignMode.{stored.sign.upper()}, num_message_bits={message_bits},",
    ]
    if isinstance(linear, Sparse):
        shape = (prod(linear.out_shape), prod(linear.in_shape) + sum(around))
        starts = store("starts", np.pad(linear.start, around, "edge"))
        parts = f"{weights}, {store('targets', linear.target)}, {starts}"
        weights = f"csc_matrix(\n        ({parts}),\n        shape={shape},\n    ).tocsr()"
    else:
        weights = _padded(weights, ((0, 0), around))
    if extra:
        every = "(weights != 0).astype(int)" if isinstance(linear, Sparse) else (
            "np.ones(weights.shape, int)")
        lines.append(f"delays={extra} * {every}, max_delay={extra},")
    process = ("Delay" if extra else "") + linear.kind.capitalize()
    return f"    weights = {weights}\n" + _call("synapse", process, lines)
