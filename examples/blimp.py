"""Altitude control of a blimp: an environment of Gymnasium, and what joins it to a network.

    nmc compile examples/blimp.pt --code examples/train_blimp.py:BlimpNet --target loihi2 \
        -o build/blimp
    nmc validate build/blimp --device sim --loop examples/blimp.py:blimp --episodes 5 --periods 1200

The task and the size of its network, 160 neurons that act as a controller does, follow T. Burgers,
S. Stroobants and G. de Croon, "Evolving Spiking Neural Networks to Mimic PID Control for Autonomous
Blimps" (2023, arXiv:2309.12937). The model here is the vertical motion of a sphere of helium:

    (m + m_a) dv/dt = (rho V - m) g - rho/2 c_d A |v| v + F        dF/dt = (F_max u - F) / tau

m_a  added mass of a sphere, half of the air that it displaces (H. Lamb, Hydrodynamics, 1932, §92)
c_d  0.47, of a sphere at Reynolds numbers of 1e4 to 1e5 (S. Hoerner, Fluid-Dynamic Drag, 1965)
rho  1.225 kg/m3, air at sea level (ISO 2533, the standard atmosphere)

Radius, motor and how much heavier than air the blimp is are chosen for this example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

AIR_KG_M3, GRAVITY_M_S2, DRAG = 1.225, 9.81, 0.47
RADIUS_M = 0.45
THRUST_N, MOTOR_S = 0.15, 0.2  # of the motor, up or down, and its time constant
UNBALANCE = 0.002  # of the displaced air's mass that the blimp is heavier or lighter, at most
PERIOD_S, SUBSTEPS = 0.05, 5  # between actions, and steps of integration in one
STEPS = 10  # of the network in a period
EPISODE_S, ROOM_M = 60.0, 6.0
P_PER_M, D_S_PER_M = 1.0, 3.0  # of the controller that the network is trained to act as
NEURONS_UP = 10  # output neurons that drive the motor up; as many drive it down
FULL = 0.5  # spikes a step and neuron that stand for full thrust
SCALE = np.array([2.0, 0.5])  # metres and metres a second that the network takes as 1

Array = np.ndarray[Any, Any]


def controller(error_m: Any, velocity_m_s: Any) -> Any:
    """Thrust from -1 to 1 of a proportional-derivative controller."""
    return np.clip(P_PER_M * error_m - D_S_PER_M * velocity_m_s, -1, 1)


class BlimpEnv(gymnasium.Env[Array, Array]):
    """A blimp that shall hold an altitude, which changes twice in an episode.

    observation  (2,) metres that it is too low, and metres a second that it rises
    action       (1,) thrust from -1 to 1
    reward       minus the metres of error, for each second
    info         mean_error_m: mean magnitude of the error in the last 10 s before each change
    """

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """At rest at 1 m, with an unbalance and three altitudes to hold, by `seed`."""
        super().reset(seed=seed)
        displaced = AIR_KG_M3 * 4 / 3 * np.pi * RADIUS_M**3
        self._lift_n = GRAVITY_M_S2 * displaced * self.np_random.uniform(-UNBALANCE, UNBALANCE)
        self._mass_kg = 1.5 * displaced  # with the added mass; the unbalance is less than a percent
        self._drag = 0.5 * AIR_KG_M3 * DRAG * np.pi * RADIUS_M**2
        self._targets_m = self.np_random.uniform(1.0, ROOM_M - 1.0, 3)
        self._altitude_m, self._velocity_m_s, self._thrust_n, self._period = 1.0, 0.0, 0.0, 0
        self._settled: list[float] = []
        return self._observation(), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Let PERIOD_S pass with this thrust; it is over where the blimp meets floor or ceiling."""
        wanted = THRUST_N * float(np.clip(action[0], -1, 1))
        dt = PERIOD_S / SUBSTEPS
        for _ in range(SUBSTEPS):
            self._thrust_n += dt / MOTOR_S * (wanted - self._thrust_n)
            drag = self._drag * abs(self._velocity_m_s) * self._velocity_m_s
            force = self._lift_n + self._thrust_n - drag
            self._velocity_m_s += dt * force / self._mass_kg
            self._altitude_m += dt * self._velocity_m_s
        self._period += 1
        error = self._observation()[0]
        each_s = EPISODE_S / len(self._targets_m)
        if (self._period * PERIOD_S) % each_s >= each_s - 10:
            self._settled.append(abs(error))
        crashed = not 0 < self._altitude_m < ROOM_M
        over = self._period * PERIOD_S >= EPISODE_S
        info = {"altitude_m": self._altitude_m}
        if self._settled:
            info["mean_error_m"] = float(np.mean(self._settled))
        return self._observation(), -abs(error) * PERIOD_S, crashed, over, info

    def _observation(self) -> Array:
        number = int(self._period * PERIOD_S * len(self._targets_m) / EPISODE_S)
        target = self._targets_m[min(number, len(self._targets_m) - 1)]
        return np.array([target - self._altitude_m, self._velocity_m_s])


class BlimpLoop:
    """The network sees error and velocity; neurons that drive the motor up and down answer."""

    period_s, steps = PERIOD_S, STEPS

    def __init__(self) -> None:
        self.env = BlimpEnv()

    def encode(self, observation: Array) -> Mapping[str, Array]:
        """Both numbers in every step."""
        return {"input": np.tile(scaled(observation), (STEPS, 1))}

    def decode(self, outputs: Mapping[str, Array]) -> Array:
        """Spikes up less spikes down."""
        spikes = next(values for values in outputs.values() if values.shape[1] == 2 * NEURONS_UP)
        return np.array([thrust(spikes)])


def scaled(observation: Array) -> Array:
    """Error and velocity (..., 2) as the network takes them, from -1 to 1."""
    return np.clip(observation / SCALE, -1, 1)


def thrust(spikes: Any) -> Any:
    """Thrust for the spikes (steps, ..., 2 * NEURONS_UP) of a period."""
    rate = spikes.sum(0) / len(spikes)
    return (rate[..., :NEURONS_UP].mean(-1) - rate[..., NEURONS_UP:].mean(-1)) / FULL


def blimp() -> BlimpLoop:
    """The loop, for nmc."""
    return BlimpLoop()
