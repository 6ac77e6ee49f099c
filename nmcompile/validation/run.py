"""Hold a device against what was compiled, and find where and why it first differs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from math import inf, prod
from pathlib import Path
from typing import Any

import numpy as np

from nmcompile import __version__
from nmcompile.build import CONFIG, MANIFEST, PROGRAM, REPORT, Build, config_digest
from nmcompile.choices import require_labels
from nmcompile.coding import Coding, Encoding, coding_of
from nmcompile.device import Device, Place, Reached, Recorded, Recording, Wanted
from nmcompile.errors import DeviceAnswerError, OptionError, unknown_name
from nmcompile.files import require_apart, require_place
from nmcompile.frontends.data_file import DataFile
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.registry import device as device_of
from nmcompile.simulation import inputs_of, sent_by
from nmcompile.validation import limits as limits_of
from nmcompile.validation.comparison import SPIKES, Comparison, Metric
from nmcompile.validation.divergence import Place as Where
from nmcompile.validation.divergence import diverged, first_difference, populations_of
from nmcompile.validation.evidence import Evidence, Records
from nmcompile.validation.figures import divergence_figures, measured_figures
from nmcompile.validation.journal import Journal, Unkept, write_recordings
from nmcompile.validation.references import NAMES, Reference, decided, flat, reference
from nmcompile.validation.session import Session

BATCH = 64  # samples of a batch unless the user says so
BATCH_VALUES = 1 << 26  # values that the recordings of a batch hold, if they are several samples
EVIDENCE_VALUES = 1 << 24  # values that rules are held against
EVIDENCE_SAMPLES, EARLIER = 32, 4  # samples at most, and of these ahead of the first difference
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What a user asks of a validation beside the device and the data.

    against   a name of `references.NAMES`
    samples   how many of the data to use; None: all
    batch     samples of a batch; None: as many as memory holds, at most BATCH
    limits    what may not be exceeded: see `limits.NAMES`
    resume    go on with a run that did not end
    output    run file (.npz) of what the device gave
    """

    steps: int | None = None
    encoding: Encoding | Coding | None = None
    seed: int = 0
    against: str = "sim"
    samples: int | None = None
    batch: int | None = None
    metric: Metric = field(default_factory=Metric)
    limits: dict[str, float] = field(default_factory=dict)
    resume: bool = False
    output: Path | None = None


NOWHERE, PLAIN = Place(), Asked()


def validate(
    build: Build, data: DataFile, device: str | Device, *, place: Place = NOWHERE,
    asked: Asked = PLAIN, progress: Progress = lambda steps, total: None, where: str = "input",
) -> dict[str, Any]:
    """The figures of `device` beside those of a reference, and the first difference with its cause.

    device    its name among the installed ones, or a device
    progress  told how many further steps of samples are done, and how many there are

    Raises NmcError where something cannot be run, or a limit not be judged; what the device gave
    until then stays in the journal (`asked.resume`).
    """
    _require(build, asked)
    data = data if asked.samples is None else data.first(asked.samples)
    values = inputs_of(build.program, data, where, steps=asked.steps, encoding=asked.encoding,
                       seed=asked.seed)
    against = reference(asked.against, build, values)
    name = device if isinstance(device, str) else device.name
    made = device_of(device) if isinstance(device, str) else device
    sent = sent_by(build.program, values)
    session = Session(device=made, place=place, program=build.program,
                      config=build.folder / CONFIG, inputs=sent, batch=1)
    with ExitStack() as held:
        held.callback(session.end)
        wanted = _known(build.program, session.start(), name)
        if isinstance(made, Recorded):
            require_apart({"--device": made.recording, "-o": asked.output})
            made.require(*session.shape)
        _require_limits(asked, data, wanted, against)
        batch = _batch(asked, session.shape, build.program, wanted)
        session = Session(**{**vars(session), "batch": batch})
        journal = (Unkept if isinstance(made, Recorded) else Journal)(
            folder=build.folder / _folder(name, place),
            run=_identity(build, data, (made.name, _identifying(made, place)), asked,
                          (session.shape, batch)))
        with journal.kept(asked.resume, session.firsts):
            found = _run(session, journal, wanted, against, asked, progress)
            held.close()
            figures = found.figures(build, data, (made.name, place), asked)
            if asked.output is not None:
                write_recordings(asked.output, found.recordings)
    return figures


@dataclass(kw_only=True, eq=False)
class _Found:
    """What was found batch by batch.

    first    where the first difference is, counted from the first sample of the evidence
    begins   number in the data of the first sample of the evidence
    """

    session: Session
    against: Reference
    comparison: Comparison
    wanted: Wanted
    decided: list[tuple[Array | None, Array | None]] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)
    parts: list[tuple[dict[str, Array], Records, Records]] = field(default_factory=list)
    begins: int | None = None
    first: Where | None = None
    evidence_samples: int = EVIDENCE_SAMPLES

    def add(self, first: int, inputs: dict[str, Array], recording: Recording) -> None:
        """Compare a batch, and keep of it what the search for a cause needs."""
        network = self.session.program.network
        given = flat(recording.variables)
        samples = len(next(iter(inputs.values())))
        ours = self.against.records(inputs, slice(first, first + samples))
        self.comparison.add(ours, given)
        self.decided.append((decided(self.against.network, ours), decided(network, given)))
        begin = 0
        if self.first is None:
            shared = {name: {k: v for k, v in record.items() if self.against.exact or k == SPIKES}
                      for name, record in given.items() if name in ours}
            names = tuple(n for n in _order(self.session.program) if n in shared)
            self.first = first_difference(names, ours, shared)
            if self.first is None:
                return
            begin = max(0, self.first.sample - EARLIER)
            self.begins = first + begin
            self.first = Where(**{**asdict(self.first), "sample": self.first.sample - begin})
        held = sum(len(next(iter(part[0].values()))) for part in self.parts)
        chosen = slice(begin, begin + max(0, self.evidence_samples - held))
        if chosen.stop > chosen.start:
            self.parts.append((
                {k: v.reshape(*v.shape[:2], -1)[chosen] for k, v in inputs.items()},
                _cut(ours, chosen), _cut(given, chosen)))

    def figures(
        self, build: Build, data: DataFile, device: tuple[str, Place], asked: Asked
    ) -> dict[str, Any]:
        """All of it as plain data; `device` with the name that it has once open."""
        rows = self.comparison.figures()
        ours, theirs = (None if any(x is None for x in side) else np.concatenate(side)
                        for side in zip(*self.decided, strict=True))
        told = {
            "device": device[0], "address": device[1].address, "against": asked.against,
            "target": build.program.target.name,
            "samples": self.session.shape[0], "steps": self.session.shape[1],
            "metric": asdict(asked.metric), "populations": rows,
            "not_readable": [p.name for p in build.program.network.populations
                             if SPIKES not in self.wanted.get(p.name, ())],
            "lost": list(self.session.losses),
            "not_compared": [name for name, v in self.wanted.items() if SPIKES in v
                             and name not in _compared(self.against, self.wanted)],
            "decisions": _decision_figures(ours, theirs, data.y),
            **measured_figures(build, self.session.inputs, self.recordings),
        }
        told["limits"] = limits_of.judged(asked.limits, _judged(told))
        told["divergence"] = None if self.first is None else divergence_figures(self._diverged())
        return told

    def _diverged(self) -> Any:
        assert self.first is not None
        assert self.begins is not None
        sent = _joined([part[0] for part in self.parts])
        ours = _joined_records([part[1] for part in self.parts])
        given = _joined_records([part[2] for part in self.parts])
        told = {name: record[SPIKES] for name, record in given.items() if SPIKES in record}
        program = self.session.program
        assumed = {p.name: ours[p.name][SPIKES] for p in program.network.populations
                   if p.name not in told and p.name in ours}
        evidence = Evidence(program=program, sent={**sent, **assumed, **told},
                            assumed=frozenset(assumed), seen=given)
        return diverged(evidence, self.first, ours, self.begins, rules=self.against.exact,
                        recorded=isinstance(self.session.device, Recorded))


def _run(
    session: Session, journal: Journal, wanted: Wanted, against: Reference, asked: Asked,
    progress: Progress,
) -> _Found:
    samples, steps = session.shape
    network = session.program.network
    each = sum(network.population(name).size * len(v) for name, v in wanted.items()) * steps
    found = _Found(
        session=session, against=against, wanted=wanted,
        comparison=Comparison(network, asked.metric, against.exact),
        evidence_samples=int(np.clip(EVIDENCE_VALUES // max(1, each), EARLIER + 1,
                                     EVIDENCE_SAMPLES)))
    for first, inputs, recording in session.batches(
            journal, wanted, lambda done: progress(done, samples * steps)):
        found.add(first, inputs, recording)
        found.recordings.append(recording if asked.output is not None else Recording(
            variables={}, step_s=recording.step_s, sample_s=recording.sample_s,
            energy_j=recording.energy_j, boundary=recording.boundary))
    return found


def _require(build: Build, asked: Asked) -> None:
    """Refuse wishes that cannot be met, before anything runs."""
    if asked.against not in NAMES:
        raise unknown_name("--against", asked.against, NAMES)
    if not (0 < asked.metric.tau < inf and 0 <= asked.metric.cost < inf):
        raise OptionError("--tau and --cost", f"are {asked.metric.tau:g} and {asked.metric.cost:g} "
                          "steps, expected finite numbers above 0, and from 0")
    if asked.output is None:
        return
    require_place(asked.output)
    if asked.output.suffix.lower() != ".npz":
        raise OptionError(str(asked.output), f"ends with '{asked.output.suffix}', expected .npz")
    own = {f"the build's {name}": build.folder / name for name in (PROGRAM, MANIFEST, REPORT)}
    require_apart({**own, "-o": asked.output})


def _known(program: Program, readable: Wanted, name: str) -> Wanted:
    """What is wanted of a device: all that it can tell of the network's populations."""
    wanted = {p.name: tuple(v for v in (SPIKES, *p.neuron.state_names)
                            if v in readable.get(p.name, ()))
              for p in program.network.populations}
    wanted = {name: variables for name, variables in wanted.items() if variables}
    if not wanted:
        raise DeviceAnswerError(f"device {name}", "tells nothing of any population of this network")
    return wanted


def _require_limits(asked: Asked, data: DataFile, wanted: Wanted, against: Reference) -> None:
    """Refuse limits whose values this run cannot tell, before it begins."""
    port = against.network.outputs[0]
    compared = _compared(against, wanted)
    told: dict[str, float | str] = dict.fromkeys(limits_of.NAMES, 0.0)
    if port.variable not in wanted.get(port.population, ()):
        decided = (f"the device does not tell {port.variable} of {port.population}, by which the "
                   "network decides")
        told |= {"decisions": decided, "accuracy": decided}
    if data.y is None:
        told["accuracy"] = "the data have no labels y"
    if not against.exact:
        told["states"] = "the float network has none in the chip's units"
    elif all(set(v) <= {SPIKES} for v in wanted.values()):
        told["states"] = "the device tells spikes alone"
    outputs = {o.population for o in against.network.outputs
               if o.variable == SPIKES and against.tells(o.population)}
    if not compared or (outputs and not outputs & set(compared)):
        missing = f"of an output ({', '.join(sorted(outputs))})" if outputs else "to compare"
        told |= dict.fromkeys(("spikes", "count", "van-rossum", "victor-purpura"),
                              f"the device tells no spikes {missing}")
    limits_of.judged(asked.limits, told)
    if data.y is not None:
        require_labels(against.network, data, "labels")


def _compared(against: Reference, wanted: Wanted) -> tuple[str, ...]:
    """Populations whose spikes both sides tell and somebody takes: a readout's are none."""
    network = against.network
    taken = {p.source for p in network.projections} | {
        o.population for o in network.outputs if o.variable == SPIKES}
    return tuple(name for name, v in wanted.items()
                 if SPIKES in v and name in taken and against.tells(name))


def _batch(
    asked: Asked, shape: tuple[int, int], program: Program, wanted: Wanted
) -> int:
    each = shape[1] * sum(prod(program.network.shape_of(name)) * len(v)
                          for name, v in wanted.items())
    return asked.batch or max(1, min(BATCH, BATCH_VALUES // max(1, each), shape[0]))


def _folder(name: str, place: Place) -> str:
    """Name of the journal's folder: one for each device and address."""
    if not place.address:
        return f"validate-{name}"
    return f"validate-{name}-{hashlib.sha256(place.address.encode()).hexdigest()[:8]}"


def _identifying(device: Device, place: Place) -> Place:
    """`place` without the options that only say how the device is reached."""
    how = device.reached_by if isinstance(device, Reached) else frozenset()
    return Place(address=place.address,
                 options={k: v for k, v in place.options.items() if k not in how})


def _identity(
    build: Build, data: DataFile, device: tuple[str, Place], asked: Asked,
    runs: tuple[tuple[int, int], int],
) -> dict[str, Any]:
    """What must be equal for a run to go on."""
    (name, place), (shape, batch) = device, runs
    return {
        "nmcompile": __version__, "program": build.manifest["sha256"][PROGRAM],
        "input": data.digest(), "seed": asked.seed,
        "encoding": asdict(coding_of(asked.encoding)),
        "samples": shape[0], "steps": shape[1], "batch": batch,
        "device": name, "address": place.address, "options": dict(place.options),
        "config": config_digest(build),
    }


def _order(program: Program) -> tuple[str, ...]:
    return populations_of(program.network)


def _cut(records: Records, chosen: slice) -> Records:
    return {name: {k: v[chosen] for k, v in record.items()} for name, record in records.items()}


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _joined_records(parts: list[Records]) -> Records:
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _decision_figures(ours: Array | None, theirs: Array | None, y: Array | None) -> dict[str, Any]:
    """Accuracy on both sides, and the share of samples that are decided alike."""
    def right(decisions: Array | None) -> float | None:
        return None if y is None or decisions is None else float((decisions == y).mean())

    equal = None if ours is None or theirs is None else float((ours == theirs).mean())
    return {"accuracy_reference": right(ours), "accuracy_device": right(theirs), "equal": equal}


def _judged(told: dict[str, Any]) -> dict[str, float | None]:
    """The values that limits are for."""
    rows, decisions = told["populations"], told["decisions"]
    apart = {*told["not_readable"], *told["not_compared"]}
    with_spikes = [row for row in rows if row["name"] not in apart]
    states = [state["largest"] for row in rows for state in row["states"].values()]

    def worst(name: str) -> float | None:
        return max((row[name]["mean"] for row in with_spikes), default=None)

    before, after = decisions["accuracy_reference"], decisions["accuracy_device"]
    return {
        "spikes": max((row["share"] for row in with_spikes), default=None),
        "count": worst("count"), "van-rossum": worst("van_rossum"),
        "victor-purpura": worst("victor_purpura"), "states": max(states, default=None),
        "decisions": None if decisions["equal"] is None else 1 - decisions["equal"],
        "accuracy": None if before is None or after is None else before - after,
    }
