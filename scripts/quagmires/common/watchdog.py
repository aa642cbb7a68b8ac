"""End the processes that an engine started when the process that started the engine is gone, even by SIGKILL.

vLLM's engine processes outlive a killed front end and would keep the GPU's memory. Run as a module with the front end's
process id; it reads its standard input, which closes when the front end ends in whatever way. Linux can signal a child
when its parent dies, but not the child's own children.
"""

import contextlib
import select
import signal
import subprocess
import sys

import psutil

LOOK_EVERY_SECONDS = 0.5


def start(process_id: int, scripts: str) -> subprocess.Popen:
    """Watch over the descendants of `process_id` until `stop`, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "quagmires.common.watchdog", str(process_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=scripts,
        start_new_session=True,
    )


def stop(watchdog: subprocess.Popen) -> None:
    """End the watch; nothing is killed any more."""
    watchdog.kill()
    watchdog.wait()


def watch(process_id: int) -> None:
    """Remember the descendants of a process while it lives; kill what is left of them when it is gone."""
    me, seen = psutil.Process(), set()
    while not select.select([sys.stdin], [], [], LOOK_EVERY_SECONDS)[0]:
        with contextlib.suppress(psutil.NoSuchProcess):
            seen |= set(psutil.Process(process_id).children(recursive=True)) - {me}
    for process in seen:
        # psutil knows a process by its start time too: a reused id is another process.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    # A scheduler signals it with the job's other processes; the ones it watches may take a while to end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    watch(int(sys.argv[1]))
