"""When each job would run: a list schedule on a number of devices, without a queue, failures or other users.

graphlib keeps account of what waits for what. A library for simulation would not save the rest: it gives out several
devices at once without priorities, or by priority one at a time.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from quagmires.common.errors import UserError


@dataclass(frozen=True)
class Task:
    """`hours` on `devices` at once, when the tasks `after` (positions in the list) are done; high priority first."""

    hours: float
    devices: int
    after: tuple[int, ...] = ()
    priority: int = 0


@dataclass(frozen=True)
class Timetable:
    """Start and end of each task in hours; `critical_path` is the time with any number of devices."""

    starts: list[float]
    ends: list[float]
    critical_path: float

    @property
    def hours(self) -> float:
        """From the first start to the last end."""
        return max(self.ends, default=0.0)


def timetable(tasks: Sequence[Task], devices: int) -> Timetable:
    """Start whatever is ready and fits, by priority, then in the order given, as Snakemake does.

    Devices are one pool: that a job's GPUs must be on one node is not looked at.

    >>> timetable([Task(2, 1), Task(1, 1), Task(3, 2, after=(0,))], devices=2).starts
    [0.0, 0.0, 2.0]

    Raises
    ------
    UserError
        A task wants more devices than there are.
    """
    widest = max((task.devices for task in tasks), default=0)
    if widest > devices:
        raise UserError(f"costs.gpus is {devices}, but a job takes {widest} at once; make it at least {widest}")
    order = TopologicalSorter(dict(enumerate(task.after for task in tasks)))
    order.prepare()
    # By width: a wide task that does not fit lets narrower ones pass without being looked at again.
    ready: dict[int, list[tuple[int, int]]] = {}
    starts, ends = [0.0] * len(tasks), [0.0] * len(tasks)
    running: list[tuple[float, int]] = []
    free, now = devices, 0.0
    while True:
        for number in order.get_ready():
            heapq.heappush(ready.setdefault(tasks[number].devices, []), (-tasks[number].priority, number))
        while fitting := [queue for width, queue in ready.items() if queue and width <= free]:
            number = heapq.heappop(min(fitting))[1]
            starts[number], ends[number] = now, now + tasks[number].hours
            free -= tasks[number].devices
            heapq.heappush(running, (ends[number], number))
        if not running:
            return Timetable(starts, ends, _critical_path(tasks))
        now = running[0][0]
        while running and running[0][0] == now:
            done = heapq.heappop(running)[1]
            free += tasks[done].devices
            order.done(done)


def _critical_path(tasks: Sequence[Task]) -> float:
    """The longest chain of tasks that wait for each other, in hours."""
    ends = [0.0] * len(tasks)
    for number in TopologicalSorter(dict(enumerate(task.after for task in tasks))).static_order():
        ends[number] = max((ends[before] for before in tasks[number].after), default=0.0) + tasks[number].hours
    return max(ends, default=0.0)
