"""What Snakemake's SLURM plugin (2.8.0) needs to survive: states it does not know, outages, jobs of a run that died.

The plugin waits for ever for a job in a state that it takes for running, and for all jobs if no query succeeds. And a
Snakemake that was killed leaves its jobs in the queue; the next one knows nothing of them and would submit the same
jobs again, onto the same files.
"""

import getpass
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from logging import Logger
from pathlib import Path
from typing import Protocol

from quagmires.common.errors import UserError

# sacct can show a preempted job as PREEMPTED for a while before it shows it as pending again.
REQUEUED_WITHIN_SECONDS = 300
_TIMEOUT_SECONDS = 120
# Rules that profiles may still call by an older name.
OLD_NAMES = {"grpo": "rl"}

# The states of jobs by id, and the seconds the question took; no states where SLURM did not answer.
States = tuple[dict[str, str] | None, float | None]
Query = Callable[[str, Logger], Awaitable[States]]


class Plugin(Protocol):
    """What `mend` replaces in the plugin's module."""

    query_job_status: Query
    get_min_job_age: Callable[[], int | None]


def mend(plugin: Plugin) -> None:
    """Let the plugin's status query answer only in words that the plugin knows, from squeue even after an outage."""
    plugin.query_job_status = _mended(plugin.query_job_status)
    plugin.get_min_job_age = _remembered(plugin.get_min_job_age)


def refuse_old_names(settings: Mapping[str, Iterable[str]]) -> None:
    """Refuse settings of a rule by the name that it had once: Snakemake would drop them in silence.

    Parameters
    ----------
    settings
        the name of a setting in a profile -> the rules it names.

    Raises
    ------
    UserError
        There are some.
    """
    for setting, rules in settings.items():
        for rule in rules:
            if rule in OLD_NAMES:
                raise UserError(
                    f"{setting}: {rule}: this rule is called `{OLD_NAMES[rule]}` now, and would not get what is set;"
                    f" write `{OLD_NAMES[rule]}` there, in the profile or on the command line"
                )


def known_state(state: str, preempted_for: float, from_sacct: bool) -> str:
    """A job's state as the plugin understands it; `preempted_for`: seconds since it was first seen as PREEMPTED."""
    if state.startswith("CANCELLED by "):
        return "CANCELLED"
    # squeue shows a job that goes back into the queue as COMPLETING, then as PENDING.
    if state == "PREEMPTED" and (not from_sacct or preempted_for > REQUEUED_WITHIN_SECONDS):
        return "CANCELLED"
    return state


def _remembered(get_min_job_age: Callable[[], int | None]) -> Callable[[], int | None]:
    """The last known MinJobAge while the controller is silent: without one the plugin asks sacct, for as long as the
    query is repeated, which is for ever on a cluster without accounting."""
    known = None

    def remembered() -> int | None:
        nonlocal known
        known = get_min_job_age() or known
        return known

    return remembered


def _mended(query: Query) -> Query:
    first_seen: dict[str, float] = {}

    async def query_job_status(command: str, logger: Logger) -> States:
        states, seconds = await query(command, logger)
        if states is None:
            return states, seconds
        now, from_sacct = time.monotonic(), command.startswith("sacct")
        for job, state in states.items():
            if state != "PREEMPTED":
                first_seen.pop(job, None)
            states[job] = known_state(state, now - first_seen.setdefault(job, now), from_sacct)
        return states, seconds

    return query_job_status


def refuse_orphans(folder: str | Path) -> None:
    """Refuse to start beside jobs that an earlier run submitted from the same folder.

    Raises
    ------
    UserError
        There are some; the message names them and says what to do. Or SLURM does not answer.
    """
    orphans = jobs_of(folder)
    if orphans:
        raise UserError(
            f"jobs of an earlier run are in the queue for this folder: {' '.join(orphans)}. Let them end, or let them"
            f" save and end by `scancel --signal=TERM {' '.join(orphans)}` (those that wait: `scancel --state=PENDING"
            f" {' '.join(orphans)}`); then run again. If that run is alive and makes other files, add --no-hooks"
        )


def jobs_of(folder: str | Path) -> list[str]:
    """Ids of this user's waiting and running jobs that Snakemake submitted from a folder.

    As text: `squeue --json` needs a plugin that a cluster may lack, and pyslurm has a version for each one of SLURM.
    """
    command = ("squeue", "--user", getpass.getuser(), "--noheader", "--format", "%i|%k|%Z")
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        words = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        raise UserError(
            f"SLURM does not say which jobs are in its queue ({words}); try again when it answers"
        ) from None
    here = Path(folder).resolve()
    jobs = [line.split("|", 2) for line in result.stdout.splitlines()]
    return [job for job, comment, where in jobs if comment.startswith("rule_") and Path(where).resolve() == here]
