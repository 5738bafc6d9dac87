"""Which devices can compute here, and why others cannot.

torch is imported only when a device is asked for, so that naming engines and devices stays quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scoresep.errors import DeviceError, UsageError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class DeviceState:
    """One device as this machine has it.

    Attributes
    ----------
    name : str
        ``cpu``, ``cuda`` or ``mps``.
    is_usable : bool
    text : str
        What it is, or in one sentence why it cannot be used.
    """

    name: str
    is_usable: bool
    text: str


def device_states() -> tuple[DeviceState, ...]:
    """Say for every device whether it can be used; the fastest comes first."""
    return _cuda_state(), _mps_state(), _cpu_state()


def choose_device(name: str) -> torch.device:
    """Return the device to compute on.

    Parameters
    ----------
    name : str
        One of `DEVICES`; ``auto`` takes the fastest that can be used.

    Raises
    ------
    UsageError
        If there is no device of that name.
    DeviceError
        If the device cannot be used here.
    """
    import torch

    if name not in DEVICES:
        raise UsageError(f"There is no device {name!r}; choose one of {', '.join(DEVICES)}.")
    states = device_states()
    if name == "auto":
        return torch.device(next(state.name for state in states if state.is_usable))
    state = next(state for state in states if state.name == name)
    if not state.is_usable:
        raise DeviceError(f"The device {name} cannot be used: {state.text} Choose cpu or auto.")
    return torch.device(name)


def free_bytes(device: torch.device) -> int:
    """Return how many bytes may be used on a device, with a margin for others."""
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free * 0.7)
    if device.type == "mps":
        return int((torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()) * 0.5)
    return 1 << 30  # an hour of stereo is to need less than 4 GiB in all, torch itself included


def release_memory(device: torch.device) -> None:
    """Give back what torch keeps for later."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that a device or the computer has no memory left."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def _cuda_state() -> DeviceState:
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return DeviceState("cuda", False, "this torch was built without CUDA; README says how to install one with it.")
    if not torch.cuda.is_available():
        return DeviceState("cuda", False, "no NVIDIA GPU with a working driver was found.")
    properties = torch.cuda.get_device_properties(0)
    built_for = torch.cuda.get_arch_list()
    if built_for and not _is_covered(properties.major, properties.minor, built_for):
        return DeviceState("cuda", False, f"this torch was not built for the GPU {properties.name}.")
    return DeviceState("cuda", True, f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")


def _is_covered(major: int, minor: int, built_for: list[str]) -> bool:
    """Say whether a GPU of compute capability major.minor runs code built for the listed ones."""
    for arch in built_for:
        kind, _, number = arch.partition("_")
        digits = "".join(c for c in number if c.isdigit())
        if kind not in ("sm", "compute") or not digits:
            return True  # an AMD name, or one of a kind not known here: let torch say so itself
        built = (int(digits[:-1]), int(digits[-1]))
        if built <= (major, minor) and (kind == "compute" or built[0] == major):
            return True
    return False


def _mps_state() -> DeviceState:
    import torch

    if not torch.backends.mps.is_built():
        return DeviceState("mps", False, "it exists only on Macs.")
    if not torch.backends.mps.is_available():
        return DeviceState("mps", False, "it needs macOS 12.3 or newer and a Mac with an Apple or AMD GPU.")
    return DeviceState("mps", True, "the GPU of this Mac")


def _cpu_state() -> DeviceState:
    import torch

    return DeviceState("cpu", True, f"{torch.get_num_threads()} threads")
