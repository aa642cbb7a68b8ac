"""A CPU platform for verl 0.9.1 (`verl.plugin.platform`): torch.cpu where verl expects torch.cuda."""

import os
import types
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from verl.plugin.platform import PlatformBase, PlatformRegistry


class _CpuDeviceModule(types.ModuleType):
    """torch.cpu, with the memory functions of torch.cuda as no-ops."""

    _ZERO = frozenset(("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved"))
    _NOTHING = frozenset(("empty_cache", "ipc_collect", "set_per_process_memory_fraction", "reset_peak_memory_stats"))

    def __getattr__(self, name: str):
        if hasattr(torch.cpu, name):
            return getattr(torch.cpu, name)
        if name in self._ZERO:
            return lambda *_, **__: 0
        if name in self._NOTHING:
            return lambda *_, **__: None
        if name == "mem_get_info":
            return lambda *_, **__: (1, 1)
        if name in ("get_rng_state", "set_rng_state"):
            return getattr(torch, name)
        if name == "get_device_name":
            return lambda *_, **__: "CPU"
        raise AttributeError(name)


_device_module = _CpuDeviceModule("torch_cpu_as_device")


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):
    """One CPU "device"; collectives by gloo."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _device_module

    def is_available(self) -> bool:
        return True

    def current_device(self) -> torch.device:
        return torch.device("cpu")

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index) -> None:
        pass

    def synchronize(self, device_index=None) -> None:
        pass

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        pass

    def empty_cache(self) -> None:
        pass

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return (None, None)

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, message: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        pass

    def profiler_stop(self) -> None:
        pass

    def ray_resource_name(self) -> str:
        # A logical Ray GPU (ray_init.num_gpus=1) stands for the device that verl counts.
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None


# verl builds the backend string "cpu:gloo,<device>:<backend>"; with device "cpu" torch refuses the duplicate. In the
# training workers (WG_BACKEND is set by verl's RayWorkerGroup) the group is made here, and verl then makes none.
if os.environ.get("WG_BACKEND") == "ray" and "MASTER_PORT" in os.environ and not torch.distributed.is_initialized():
    torch.distributed.init_process_group("gloo", rank=int(os.environ["RANK"]), world_size=int(os.environ["WORLD_SIZE"]))
