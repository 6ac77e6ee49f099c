"""`nmc validate --loop`: the network acts on an environment, and what it took is told."""

import json
from functools import partial
from importlib.resources import files
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from helpers.command import nmc, refusal
from nmcompile_examples.blimp import (
    PERIOD_S,
    RADIUS_M,
    THRUST_N,
    BlimpEnv,
    BlimpLoop,
    blimp,
    controller,
)

import nmcompile as api
from nmcompile.build import write_build
from nmcompile.device import Place
from nmcompile.devices.sim import SimDevice
from nmcompile.errors import NmcError
from nmcompile.validation.loop import loop_figures, run_episode

EXAMPLES = Path(str(files("nmcompile_examples")))
CODE = f"{EXAMPLES / 'train_blimp.py'}:BlimpNet"


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    compiled = api.compile(EXAMPLES / "blimp.pt", target="loihi2", code=CODE)
    return write_build(compiled, tmp_path_factory.mktemp("loop") / "build", {})


@pytest.fixture
def device(build):
    device = SimDevice()
    device.open(Place())
    device.load(build.program, build.folder / "config")
    yield device
    device.close()


def test_160_neurons_hold_the_blimp_at_its_altitudes(build, device):
    assert sum(p.size for p in build.program.network.populations) == 160
    episodes = [run_episode(build, device, blimp(), seed=seed, most=2000) for seed in range(4)]
    for episode in episodes:
        assert (episode.ended, len(episode.host_s)) == ("truncated", 1200)
        assert episode.info["mean_error_m"] < 0.1
    assert np.mean([e.info["mean_error_m"] for e in episodes]) < 0.06
    told = loop_figures(build, device, blimp(), episodes)
    assert told["outputs"] == {"values": 4 * 20 * (12_000 - 2),
                               "differing": 0}
    assert told["chip"]["missed"] == 0
    assert 0 < told["chip"]["median_s"] < told["period_s"]


def test_a_blimp_that_nobody_controls_does_not_hold_its_altitude():
    env = BlimpEnv()
    env.reset(seed=0)
    over = False
    while not over:
        _, _, crashed, late, info = env.step(np.zeros(1))
        over = crashed or late
    assert crashed or info["mean_error_m"] > 0.5


def test_the_blimp_rises_no_faster_than_its_drag_lets_it():
    env = BlimpEnv()
    env.reset(seed=1)
    env._lift_n, speed = 0.0, 0.0
    for _ in range(int(10 / PERIOD_S)):
        speed = env.step(np.ones(1))[0][1]
    limit = np.sqrt(THRUST_N / (0.5 * 1.225 * 0.47 * np.pi * RADIUS_M**2))
    assert 0.9 * limit < speed < limit


def test_the_environment_is_one_of_gymnasium():
    from gymnasium.utils.env_checker import check_env

    with pytest.warns(UserWarning, match="WARN"):  # it has no renderer, its error no bounds
        check_env(BlimpEnv(), skip_render_check=True)


def test_the_same_seed_flies_the_same_episode(build, device):
    first, again, other = (run_episode(build, device, blimp(), seed=seed, most=40)
                           for seed in (5, 5, 6))
    assert first.ended == "cut off"
    assert first.reward == again.reward != other.reward
    assert first.info == again.info
    np.testing.assert_array_equal(first.chip_s, again.chip_s)


class _Leaky(SimDevice):
    """Drops the spikes of one neuron."""

    def step(self, inputs):
        values = super().step(inputs)
        values["lif2"][0] = 0
        return values


def outputs_of(build):
    return [port.name for port in build.program.network.outputs]


def test_a_device_that_drops_spikes_is_told_from_the_simulator(build):
    device = _Leaky()
    device.load(build.program, build.folder)
    assert "lif2" in outputs_of(build)
    episode = run_episode(build, device, blimp(), seed=0, most=100)
    assert 0 < episode.differing <= 1000


def test_a_deadline_that_is_missed_is_counted(build, device):
    loop = BlimpLoop()
    loop.period_s = 1e-9
    episode = run_episode(build, device, loop, seed=0, most=20)
    told = loop_figures(build, device, loop, [episode])
    assert (told["host"]["missed"], told["chip"]["missed"]) == (20, 20)


class _NoSteps:
    """A device that cannot run step by step."""

    name = "board"


def broken(**changes):
    loop = BlimpLoop()
    for name, value in changes.items():
        setattr(loop, name, value)
    return loop


def fails(*_):
    raise ValueError("no such thing")


class _Env(gymnasium.Env):
    def reset(self, *, seed=None, options=None):
        return np.zeros(2), {}

    def step(self, action):
        raise ValueError("no such step")


class _Telling(_Env):
    """Ends at once, with something to say."""

    def __init__(self, info):
        self.info = info

    def step(self, action):
        return np.zeros(2), 1.0, True, False, self.info


REFUSED = {
    "wrong steps": (broken(steps=0), "--loop: has steps 0 and period_s 0.05, expected a whole"),
    "wrong period": (broken(period_s=-1.0), "--loop: has steps 10 and period_s -1.0, expected"),
    "another input": (broken(encode=lambda o: {"in": o}), "encode: gives in; the network's inputs "
                      "are input."),
    "wrong shape": (broken(encode=lambda o: {"input": o}), "encode: gives 'input' of shape (2,), "
                    "expected finite numbers (10, 2)."),
    "no numbers": (broken(encode=lambda o: {"input": np.full((10, 2), np.nan)}),
                   "encode: gives 'input' of shape (10, 2), expected finite numbers (10, 2)."),
    "steps of text": (broken(steps="10"), "--loop: has steps '10' and period_s 0.05, expected"),
    "period of text": (broken(period_s="0.05"), "--loop: has steps 10 and period_s '0.05', expecte"),
    "endless period": (broken(period_s=float("inf")), "--loop: has steps 10 and period_s inf, exp"),
    "an array": (broken(encode=lambda o: np.zeros((10, 2))), "encode: gives a ndarray, no dict; the "
                 "network's inputs are input."),
    "text": (broken(encode=lambda o: {"input": np.full((10, 2), "1")}),
             "encode: gives 'input' of <U1, expected numbers."),
    "a ragged list": (broken(encode=lambda o: {"input": [[1], [1, 2]]}),
                      "--loop: encode fails: ValueError: "),
    "a tensor that learns": (broken(encode=lambda o: {"input": torch.zeros(10, 2).requires_grad_()}),
                             "--loop: encode fails: RuntimeError: "),
    "no info": (broken(env=_Telling(None)), "--loop: env.step fails: TypeError: "),
    "failing encode": (broken(encode=fails), "--loop: encode fails: ValueError: no such thing ("),
    "failing decode": (broken(decode=fails), "--loop: decode fails: ValueError: no such thing ("),
    "failing step": (broken(env=_Env()), "--loop: env.step fails: ValueError: no such step ("),
    "nothing of it": (object(), "--loop: gives a object without 'env'. It gives env, period_s, "),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_wrong_with_the_users_code_is_told_in_one_line(build, device, kind):
    loop, told = REFUSED[kind]
    with pytest.raises(NmcError) as error:
        run_episode(build, device, loop, seed=0)
    assert str(error.value).startswith(told)
    assert str(error.value).isprintable()


def test_of_what_an_environment_tells_only_numbers_are_kept(build, device):
    info = {"ragged": [[1], [1, 2]], "text": "x", "height": np.float32(2), "far": np.inf, "up": True}
    loop = broken(env=_Telling(info), steps=np.int64(10))
    episode = run_episode(build, device, loop, seed=0)
    assert episode.info == {"height": 2.0, "up": 1.0}
    told = loop_figures(build, device, loop, [episode])
    assert json.loads(json.dumps(told))["steps_per_period"] == 10


def test_a_device_that_does_not_run_step_by_step_is_refused(build):
    with pytest.raises(NmcError) as error:
        run_episode(build, _NoSteps(), blimp(), seed=0)
    assert str(error.value) == "device board: does not run step by step. Use the device sim."


def test_an_episode_that_would_fill_the_memory_is_refused(build, device):
    with pytest.raises(NmcError, match="an episode sends up to 80,000,000,000 bytes"):
        run_episode(build, device, blimp(), seed=0, most=10**9)


def test_the_command_prints_deadlines_outputs_and_episodes(build, capsys, monkeypatch):
    run = partial(nmc, capsys, monkeypatch, "validate", build.folder, "--loop",
                  f"{EXAMPLES / 'blimp.py'}:blimp", "--episodes", 2, "--periods", 30, "--device")
    lines = run("sim").out.splitlines()
    assert lines[0] == ("loop      2 episodes on sim, 60 periods of 50 ms with 10 steps of the "
                        "network; its answer lags by 2 steps")
    assert [line.split()[0] for line in lines[1:]] == ["host", "chip", "outputs", "episode",
                                                       "episode"]
    told = json.loads(run("sim", "--json").out)
    assert told["outputs"]["differing"] == 0
    assert [e["periods"] for e in told["episodes"]] == [30, 30]
    assert lines[4].startswith("episode 0 30 periods, cut off, reward ")
    assert run("sim:x").code == 2
    assert refusal(run("sim", "--steps", 3).err) == (
        "--steps: is of no use with --loop. Leave it out.")


def test_a_loop_has_limits_and_a_trace(build, capsys, monkeypatch, tmp_path):
    run = partial(nmc, capsys, monkeypatch, "validate", build.folder, "--device", "sim", "--loop",
                  f"{EXAMPLES / 'blimp.py'}:blimp", "--episodes", 2, "--periods", 30)
    path = tmp_path / "loop.npz"
    passed = run("--fail-above", "missed=60,outputs=0", "-o", path)
    assert passed.code == 0
    assert "limit     outputs 0 is within 0\n" in passed.out
    told = json.loads(run("--json").out)
    trace = dict(np.load(path))
    assert {name: values.shape for name, values in trace.items()} == dict.fromkeys(
        ("reward", "host_s", "chip_s", "episode"), (60,))
    np.testing.assert_array_equal(trace["episode"], [0] * 30 + [1] * 30)
    assert trace["reward"][:30].sum() == pytest.approx(told["episodes"][0]["reward"])
    assert run("--fail-above", "spikes=1").err.startswith("nmc: error: --fail-above: 'spikes'")
    assert run("-o", tmp_path / "loop.csv").code == 2


def test_a_deadline_that_is_missed_fails_a_loop_that_bounds_them(
    build, capsys, monkeypatch, tmp_path
):
    (tmp_path / "hasty.py").write_text(
        "from nmcompile_examples.blimp import BlimpLoop\n\nclass Hasty(BlimpLoop):\n"
        "    period_s = 1e-9\n")
    run = partial(nmc, capsys, monkeypatch, "validate", build.folder, "--device", "sim", "--loop",
                  f"{tmp_path / 'hasty.py'}:Hasty", "--periods", 5)
    assert run("--fail-above", "missed=4").code == 1
    assert run("--fail-above", "missed=5").code == 0


def test_a_device_without_steps_is_refused_before_it_is_opened(build, capsys, monkeypatch):
    result = nmc(capsys, monkeypatch, "validate", build.folder, "--device", "spinnaker:127.0.0.9",
                 "--loop", f"{EXAMPLES / 'blimp.py'}:blimp")
    assert refusal(result.err) == (
        "device spinnaker: does not run step by step. Use the device sim.")


def test_a_decode_that_asks_for_another_output_is_told_those_there_are(build, device):
    loop = broken(decode=lambda outputs: outputs["out"])
    with pytest.raises(NmcError, match=r"decode fails: KeyError: 'out' .* It is given 'lif2'"):
        run_episode(build, device, loop, seed=0)


@pytest.mark.parametrize("option", ["--episodes", "--periods"])
def test_options_of_a_loop_are_refused_without_one(build, capsys, monkeypatch, option):
    result = nmc(capsys, monkeypatch, "validate", build.folder, "--device", "sim", option, 2)
    assert (result.code, refusal(result.err)) == (
        2, f"{option}: is of use only with --loop. Leave it out.")


def test_the_controller_that_the_network_learnt_pushes_against_error_and_speed():
    thrust = controller(np.array([0.5, -0.5, 0.0, 5.0]), np.array([0.0, 0.0, 0.125, 0.0]))
    np.testing.assert_array_equal(thrust, [0.5, -0.5, -0.375, 1.0])
