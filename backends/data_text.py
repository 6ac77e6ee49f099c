"""How an emitted script reads the user's data: as `nmcompile.encode` does, in plain numpy."""

from __future__ import annotations

from typing import Any

from nmcompile.ir import Network

USAGE = '''\
DATA        .npz or .npy as nmc simulate takes it: x of (samples, steps, ...) spikes or payloads, or
            of (samples, ...) values, which --encode direct, rate or latency (with --seed) makes
            spikes of; a network of several inputs takes an array for each, by its name
'''

READ = '''\


def asked():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, help="of each sample")
    parser.add_argument("--samples", type=int, help="use only the first N")
    parser.add_argument("--encode", choices=["direct", "rate", "latency"])
    parser.add_argument("--seed", type=int, default=0, help="of --encode rate")
    found = parser.parse_args()
    if min(1 if n is None else n for n in (found.steps, found.samples)) < 1:
        parser.error("--steps and --samples are from 1")
    return found


def refuse(what):
    """End with one line on what is wrong and what to do."""
    print(f"{Path(__file__).name}: {what}", file=sys.stderr)
    raise SystemExit(2)


def read_inputs(asked):
    """Input name -> (samples, steps, lines) int32 that it sends."""
    arrays = stored(asked.data)
    sent = {name: payloads(name, values[: asked.samples], asked)
            for name, values in arrays.items()}
    if len({len(values) for values in sent.values()}) > 1:
        refuse(f"{asked.data}: its inputs have different numbers of samples")
    steps = max(values.shape[1] for values in sent.values())
    return {name: fitted(values, steps) for name, values in sent.items()}


def stored(path):
    """Input name -> its array in the file; nothing in the file is executed."""
    try:
        given = np.load(path, allow_pickle=False)
        names = getattr(given, "files", None)
        if names is None:
            names, given = ["x"], {"x": given}
        one = next(iter(INPUTS)) if len(INPUTS) == 1 and "x" in names else None
        missing = [name for name in INPUTS if name != one and name not in names]
        if not missing:
            return {name: given["x" if name == one else name] for name in INPUTS}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        refuse(f"{path}: is no .npz or .npy file that can be read ({error})")
    wanted = "x" if len(INPUTS) == 1 else f"for each input: {', '.join(map(repr, missing))}"
    refuse(f"{path}: holds no array {wanted}. Save it with numpy.savez(path, x=data)")


def payloads(name, values, asked):
    """Values of an input as the integers that it sends, (samples, steps, lines)."""
    shape, bits, scale, limit = INPUTS[name]
    where, axes, size = f"{asked.data}: {name!r}", ", ".join(map(str, shape)), math.prod(shape)
    if values.dtype.kind not in "fiub" or not np.isfinite(values).all():
        refuse(f"{where} holds {values.dtype} that are no finite numbers")
    plain = values.ndim > 1 and 0 not in values.shape
    if plain and (values.shape[1:] == shape or (
            values.shape[2:] != shape and math.prod(values.shape[1:]) == size)):
        steps = asked.steps or STEPS
        if steps is None:
            refuse(f"{where} holds one value for each sample, or lacks the axis of samples: "
                   f"expected (samples, steps, {axes}). For values, add --steps N")
        values = encoded(values.reshape(len(values), size), steps, where, asked)
    elif plain and values.ndim > 2 and math.prod(values.shape[2:]) == size:
        if asked.encode in ("rate", "latency"):
            refuse(f"{where} already has {values.shape[1]} steps. Leave out --encode")
        values = fitted(values.reshape(*values.shape[:2], size), asked.steps or values.shape[1])
    else:
        refuse(f"{where} has shape {values.shape}, expected (samples, steps, {axes}) or "
               f"(samples, {axes})")
    if bits == 0 and not ((values == 0) | (values == 1)).all():
        refuse(f"{where} holds values other than 0 and 1. Add --encode rate, or give spikes")
    values = values.astype(np.float32)
    if bits and np.abs(values).max() > limit * scale * 1.002:
        refuse(f"{where} reaches {np.abs(values).max():g}, it was compiled for up to "
               f"{limit * scale:g}. Compile with data like it: nmc compile --calibrate")
    return np.clip(np.rint(values / scale), -limit, limit).astype(np.int32)


def encoded(values, steps, where, asked):
    """(samples, steps, lines) of values (samples, lines)."""
    if asked.encode in ("rate", "latency") and (values.min() < 0 or values.max() > 1):
        refuse(f"{where} spans {values.min():g} to {values.max():g}, --encode {asked.encode} takes "
               "0 to 1. Scale the data")
    values = np.repeat(values[:, None].astype(np.float32), steps, axis=1)
    if asked.encode == "rate":
        return np.random.Generator(np.random.PCG64(asked.seed)).random(values.shape) < values
    if asked.encode == "latency":
        when = np.rint((1 - values) * (steps - 1))
        return (np.arange(steps)[:, None] == when) & (values > 0)
    return values


def fitted(values, steps):
    """(samples, given steps, lines) cut to `steps`, or with silence behind."""
    behind = max(0, steps - values.shape[1])
    return np.pad(values[:, :steps], ((0, 0), (0, behind), (0, 0)))


def collected(run, asked):
    """What `run` gives of each sample, by array name, (samples, steps, ...) each."""
    sent, parts = read_inputs(asked), []
    samples, steps = next(iter(sent.values())).shape[:2]
    for sample in range(samples):
        parts.append(run({name: values[sample] for name, values in sent.items()}, steps))
        print(f"{sample + 1} of {samples} samples", file=sys.stderr)
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def main():
    """Run the samples of one file, and write what they gave to another."""
    given = asked()
    if given.output.suffix != ".npz" or not given.output.absolute().parent.is_dir():
        refuse(f"{given.output}: is no place for a .npz file")
    found, part = collected(run, given), given.output.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **found)
    part.replace(given.output)


if __name__ == "__main__":
    main()
'''


def inputs_table(network: Network) -> dict[str, tuple[Any, ...]]:
    """Of each input, by name: shape, bits of a payload, the value of one unit, largest payload."""
    return {port.name: (port.shape, port.format.payload_bits or 0, float(port.format.scale),
                        port.format.limit) for port in network.inputs}


def literal(value: Any) -> str:
    """`value` as Python reads it, an item of a list or dict a line."""
    if isinstance(value, dict):
        return "{\n" + "".join(f"    {k!r}: {v!r},\n" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + "".join(f"    {item!r},\n" for item in value) + "]"
    return repr(value)


def tables(**values: Any) -> str:
    """An assignment for each of `values`."""
    return "".join(f"{name} = {literal(value)}\n" for name, value in values.items())
