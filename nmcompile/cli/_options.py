"""Options that several verbs have in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from nmcompile.cli._complete import POLARITIES, paths, words
from nmcompile.coding import ENCODINGS, OFF, TRACED, Coding
from nmcompile.errors import OptionError

Verb = Callable[..., Any]


def model_options(verb: Verb) -> Verb:
    """The options of a verb that reads a model for its figures: data, code, steps, seed, JSON."""
    for option in reversed((
        click.option("--legalise", is_flag=True,
                     help="Take the nearest value where the chip cannot hold the model's."),
        click.option("--sample", type=click.Path(path_type=Path),
                     help="Data to trace the model on (.npz with x, .npy, .pt, or recordings)."),
        click.option("--calibrate", type=click.Path(path_type=Path),
                     help="Data to choose integer scales by; with labels y also the accuracy."),
        click.option("--code", metavar="FILE:CLASS", shell_complete=paths(".py"),
                     help="The model's own code; runs that file."),
        click.option("--trust-pickle", is_flag=True,
                     help="Let the model file run code as it loads."),
        click.option("--steps", type=click.IntRange(1, 100_000), help="Steps of a sample."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
                     help="Seed of random encodings."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    )):
        verb = option(verb)
    return verb


def coding_options(verb: Verb) -> Verb:
    """The options that say how values are sent; a verb is given them together as `encoding`."""
    @wraps(verb)
    def given(*args: Any, **options: Any) -> Any:
        return verb(*args, encoding=Coding(
            **{name: options.pop(name) for name in ("how", "gain", "threshold", "off")}), **options)

    for option in reversed((
        click.option("--encode", "how", metavar="NAME", shell_complete=words(*ENCODINGS),
                     help="How values of --input or --calibrate become spikes: direct, rate or "
                          "latency; of series also delta or send-on-delta.  [default: they are "
                          "sent as they are]"),
        click.option("--gain", type=float, default=1.0, metavar="G",
                     help="Values are multiplied by it first."),
        click.option("--threshold", type=float, metavar="T",
                     help="The change that delta and send-on-delta send; the least value that "
                          "latency does."),
        click.option("--off", default="channel", metavar="NAME", shell_complete=words(*OFF),
                     help="Where delta sends falling values: channel (off ahead of on), drop or "
                          "negative.  [default: channel]"),
    )):
        given = option(given)
    return given


def _numbers(form: str, between: str, count: int) -> Callable[..., tuple[int, ...] | None]:
    """Reads whole numbers with something between them, for an option."""
    pattern = re.compile(between.join([r"([0-9]{1,6})"] * count), re.ASCII)

    def read(context: click.Context, option: click.Parameter, value: str | None) -> Any:
        found = None if value is None else pattern.fullmatch(value.strip())
        if value is not None and found is None:
            raise click.BadParameter(f"'{value}' is no {form}.", context, option)
        return None if found is None else tuple(map(int, found.groups()))

    return read


EVENTS = (
    click.option("--bin", metavar="TIME|Nev",
                 help="Of recordings of events: length of a step, 1ms or 500us, or 1000ev for so "
                      "many events."),
    click.option("--bins", type=int, metavar="N",
                 help="In place of --bin: steps of a sample, whatever it lasts."),
    click.option("--window", metavar="TIME",
                 help="Cut each recording into samples of this length.  [default: it is one]  Of "
                      "sound: what a frame is made of.  [default: 25ms]"),
    click.option("--crop", metavar="X,Y,WIDTH,HEIGHT",
                 callback=_numbers("X,Y,WIDTH,HEIGHT", ",", 4), help="Pixels that are used."),
    click.option("--downsample", type=int, default=1, metavar="N",
                 help="N x N pixels become one, after --crop."),
    click.option("--polarity", default="both", show_default=True,
                 shell_complete=words(*POLARITIES),
                 help="both (off and on are channels 0 and 1), merge, on or off."),
    click.option("--binary/--count", default=False,
                 help="Whether a payload says if there was an event, or how many.  "
                      "[default: count]"),
    click.option("--flatten", is_flag=True,
                 help="One axis for channels, rows and columns."),
    click.option("--sensor", metavar="WIDTHxHEIGHT", callback=_numbers("WIDTHxHEIGHT", "x", 2),
                 help="Pixels, where the recording does not say."),
    click.option("--stream", metavar="NAME",
                 help="Which list of events of an HDF5 or AEDAT4 file."),
    click.option("--labels", type=click.Path(path_type=Path), shell_complete=paths(".csv"),
                 help="Table (.csv) of file and label of a folder's recordings."),
)
AUDIO = (
    click.option("--audio-rate", "rate", metavar="16kHz",
                 help="Of sound (.wav, .flac): its rate, to which files are brought.  [default: "
                      "the files' own]"),
    click.option("--features", metavar="NAME",
                 help="logmel (dB), mel (power) or mfcc, one frame a step.  [default: logmel]"),
    click.option("--mels", type=int, metavar="N", help="Mel bands.  [default: 40]"),
    click.option("--coefficients", type=int, metavar="N", help="Of mfcc.  [default: 13]"),
    click.option("--hop", metavar="TIME", help="From frame to frame.  [default: 10ms]"),
    click.option("--fft", type=int, metavar="N",
                 help="Samples of a frame.  [default: those of --window]"),
    click.option("--band", metavar="LOW,HIGH", callback=_numbers("LOW,HIGH", ",", 2),
                 help="Frequencies in Hz.  [default: 0 to half the rate]"),
    click.option("--mel-scale", metavar="NAME",
                 help="slaney (librosa's) or htk (torchaudio's).  [default: slaney]"),
    click.option("--pad", metavar="NAME",
                 help="Half a frame ahead and behind: none, zero or reflect.  [default: none]"),
    click.option("--duration", metavar="TIME",
                 help="Cut recordings, or end them with silence.  [default: the longest's]"),
    click.option("--channel", metavar="N|mix", help="Of several channels."),
    click.option("--normalise", metavar="MEAN,STD|FILE",
                 help="(value - mean) / std, by two numbers or the arrays of an .npz."),
)
OF_EVENTS = ("bin", "bins", "window", "crop", "downsample", "polarity", "binary",
             "flatten", "sensor", "stream", "labels")
OF_AUDIO = ("rate", "features", "mels", "coefficients", "hop", "fft", "band", "mel_scale", "pad",
            "duration", "channel", "normalise")


def event_options(verb: Verb) -> Verb:
    """The options of a verb that reads recordings; it is given them together as `events`."""
    @wraps(verb)
    def given(*args: Any, **options: Any) -> Any:
        from nmcompile.frontends.audio import AudioOptions
        from nmcompile.frontends.events import EventOptions

        audio = {"window": options["window"]} | {name: options.pop(name) for name in OF_AUDIO}
        events = EventOptions(
            audio=AudioOptions(**{k: v for k, v in audio.items() if v is not None}),
            **{name: options.pop(name) for name in OF_EVENTS})
        return verb(*args, events=events, **options)

    for option in reversed((*EVENTS, *AUDIO)):
        given = option(given)
    return given


def read_sample(path: Path | None, events: Any) -> Any:
    """The values of --sample, as an array; of recordings a few."""
    from nmcompile import api

    return None if path is None else api.read_data(path, events).held(TRACED).x


def read_calibration(path: Path | None, events: Any) -> Any:
    """The data of --calibrate."""
    from nmcompile import api

    return None if path is None else api.read_data(path, events)


def device_options(given: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE of each --device-option, by name."""
    found: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name or name in found:
            raise OptionError("--device-option", f"'{item}' is no NAME=VALUE, or given twice")
        found[name] = value
    return found
