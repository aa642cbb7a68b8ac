"""A real SLURM on this machine alone, for tests: one controller and three nodes that pretend to have A100s.

All daemons listen on the loopback interface, on free ports; configuration, state, sockets and logs lie in one folder.
Needs root and Debian's packages, which it installs. As a program: `slurm_cluster.py start|stop FOLDER`.
"""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge")
NODES = ("gpu01", "gpu02", "cpu01")
# Jobs inherit it: what they leave behind is found by it.
MARK = "QUAGMIRES_TEST_CLUSTER"
# The plugin's srun runs without SLURM_CONF: the configuration must be found here too.
SYSTEM_FOLDER = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf")

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
MpiDefault=none
# no cgroups, no binding
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# nodes may claim more processors and memory than the machine has
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1,sched_min_interval=100000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# finished jobs stay visible to squeue and scontrol
MinJobAge=300
KillWait=2
InactiveLimit=0
SlurmctldTimeout=60
SlurmdTimeout=60
AccountingStorageType=accounting_storage/none
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
NodeName=gpu01 NodeHostname={host} NodeAddr=127.0.0.1 Port={gpu01} {gpu_node}
NodeName=gpu02 NodeHostname={host} NodeAddr=127.0.0.1 Port={gpu02} {gpu_node}
NodeName=cpu01 NodeHostname={host} NodeAddr=127.0.0.1 Port={cpu01} {cpu_node}
PartitionName=cpu Nodes=cpu01 Default=YES MaxTime=1-00:00:00 PriorityTier=10
PartitionName=gpu Nodes=gpu[01-02] MaxTime=5-00:00:00 PriorityTier=10
PartitionName=gpu_requeue Nodes=gpu[01-02] MaxTime=5-00:00:00 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=gpu_cancel Nodes=gpu[01-02] MaxTime=5-00:00:00 PriorityTier=1 PreemptMode=CANCEL
"""
GPU_NODE = "CPUs=128 Sockets=2 CoresPerSocket=64 ThreadsPerCore=1 RealMemory=1000000 Gres=gpu:a100:8"
CPU_NODE = "CPUs=32 Sockets=1 CoresPerSocket=32 ThreadsPerCore=1 RealMemory=200000"
GRES_CONF = """\
AutoDetect=off
NodeName=gpu[01-02] Name=gpu Type=a100 File={folder}/nvidia[0-7]
"""


class ClusterError(Exception):
    """SLURM does not start here; says why."""


def why_impossible() -> str | None:
    """Why there can be no test cluster on this machine, or None: with root and apt there must be one."""
    if os.geteuid() != 0:
        return "SLURM's daemons are started as root, and this is another user"
    if not all(map(shutil.which, ("slurmctld", "slurmd", "munged"))) and not shutil.which("apt-get"):
        return "SLURM is not installed, and there is no apt-get to install it"
    foreign = SYSTEM_FOLDER / "slurm.conf"
    if foreign.exists() and not foreign.is_symlink():
        return f"this machine belongs to a real SLURM ({foreign})"
    return None


@dataclass(frozen=True)
class Cluster:
    """A running SLURM; `environment` is what its commands, and all who call them, run with."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str, timeout: float = 30, check: bool = True) -> str:
        """Output of a SLURM command."""
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=timeout)
        if check and result.returncode != 0:
            raise ClusterError(f"{' '.join(command)}: {result.stderr.strip()}")
        return result.stdout

    def jobs(self) -> list[dict[str, str]]:
        """All jobs that the controller knows, as `scontrol show job -d` has them, finished ones for MinJobAge too."""
        jobs = self.run("scontrol", "show", "job", "-d", "--oneliner").splitlines()
        return [
            dict(part.split("=", 1) for part in job.split() if "=" in part) for job in jobs if job.startswith("JobId")
        ]

    def stop_controller(self) -> None:
        """Stop slurmctld; jobs go on."""
        _end(self.folder / "slurmctld.pid", "slurmctld")

    def start_controller(self) -> None:
        """Start slurmctld; it takes up its saved state."""
        _daemon("slurmctld", self, "slurmctld", "-f", self.folder / "slurm.conf")
        _wait(30, "slurmctld to answer", lambda: self.run("scontrol", "ping") and self.run("sinfo"))


def install() -> None:
    """Install Debian's packages, if they are not there.

    Raises
    ------
    ClusterError
        apt-get failed.
    """
    if all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch"))):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", *PACKAGES)):
        result = subprocess.run(
            ("apt-get", *command), env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        if result.returncode != 0:
            raise ClusterError(f"apt-get {command[0]} failed: {result.stderr.strip()[-500:]}")


def start(folder: Path) -> Cluster:
    """Start SLURM in `folder`; what an earlier start left there is stopped first.

    Raises
    ------
    ClusterError
        A daemon did not come up in time; the message ends with the last words of its log.
    """
    install()
    folder = folder.resolve()
    stop(folder)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    _configure(folder)
    _link(folder)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), MARK: str(folder)}
    cluster = Cluster(folder, environment)
    try:
        _daemon("munged", cluster, *_munged(folder))
        _wait(10, "munged to answer", lambda: cluster.run("munge", "-n", "-S", str(folder / "munge.socket")))
        cluster.start_controller()
        for node in NODES:
            _daemon(f"slurmd.{node}", cluster, "slurmd", "-N", node, "-f", folder / "slurm.conf")
        _wait(60, "all nodes to be idle", lambda: set(cluster.run("sinfo", "-h", "-N", "-o", "%t").split()) == {"idle"})
    except BaseException:
        stop(folder)
        raise
    return cluster


def stop(folder: Path) -> None:
    """Stop all that `start` started in `folder`, and what its jobs left; the folder's logs stay. Twice is fine."""
    folder = folder.resolve()
    if (folder / "slurmctld.pid").exists():
        environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(("scancel", "--user=root"), env=environment, capture_output=True, timeout=10, check=False)
            time.sleep(1)
    for node in NODES:
        _end(folder / f"slurmd.{node}.pid", "slurmd")
    _end(folder / "slurmctld.pid", "slurmctld")
    _end(folder / "munged.pid", "munged")
    for process in _marked(folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for name in FILES:
        link = SYSTEM_FOLDER / name
        if link.is_symlink() and link.readlink() == folder / name:
            link.unlink()


def _configure(folder: Path) -> None:
    """Write configuration, keys and the GPUs' device files."""
    for name in ("controller", *(f"node.{node}" for node in NODES)):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(mode=0o755)
    for index in range(8):
        device = folder / f"nvidia{index}"
        if not device.exists():
            # Devices like /dev/null.
            os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    key = folder / "munge.key"
    if not key.exists():
        key.touch(mode=0o400)
        key.write_bytes(os.urandom(1024))
    ports = dict(zip(("controller", *NODES), _free_ports(1 + len(NODES)), strict=True))
    host = socket.gethostname().split(".")[0]
    text = SLURM_CONF.format(folder=folder, host=host, gpu_node=GPU_NODE, cpu_node=CPU_NODE, **ports)
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text(GRES_CONF.format(folder=folder))


def _link(folder: Path) -> None:
    """Let SLURM's own place for configuration point to ours."""
    SYSTEM_FOLDER.mkdir(exist_ok=True)
    for name in FILES:
        link = SYSTEM_FOLDER / name
        if link.is_symlink() and _alive(link.readlink().parent / "slurmctld.pid", "slurmctld"):
            raise ClusterError(f"another test's SLURM is running on this machine ({link.readlink().parent})")
        if link.is_symlink():
            link.unlink()
        link.symlink_to(folder / name)


def _munged(folder: Path) -> tuple[str | Path, ...]:
    options = {
        "key-file": "munge.key",
        "socket": "munge.socket",
        "pid-file": "munged.pid",
        "log-file": "munged.log",
        "seed-file": "munge.seed",
    }
    return ("munged", "--force", *(f"--{option}={folder / name}" for option, name in options.items()))


def _daemon(name: str, cluster: Cluster, *command: str | Path) -> None:
    """Start a daemon, which puts itself into the background."""
    # Nodes and their jobs are marked by each job's own environment: a marked daemon would be killed for a job's rest.
    environment = {key: value for key, value in cluster.environment.items() if key != MARK}
    with open(cluster.folder / f"{name}.out", "ab") as output:
        code = subprocess.run(
            list(map(str, command)),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            timeout=30,
            check=False,
        ).returncode
    if code != 0:
        words = (cluster.folder / f"{name}.out").read_text(errors="replace")[-500:]
        raise ClusterError(f"{name} ended with status {code}: {words}")


def _free_ports(number: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait(seconds: float, what: str, condition: Callable[[], object]) -> None:
    """Wait until a condition holds; a command that fails is a condition that does not hold yet."""
    end, last = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (ClusterError, subprocess.TimeoutExpired) as error:
            last = str(error)
        time.sleep(0.1)
    raise ClusterError(f"waited {seconds:g} seconds for {what}; {last}")


def _alive(pid_file: Path, name: str) -> psutil.Process | None:
    """The daemon of a pid file, if it lives."""
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(pid_file.read_text()))
        return process if process.name() == name else None
    return None


def _end(pid_file: Path, name: str) -> None:
    """Stop the daemon of a pid file, and no other process that has its number by now."""
    process = _alive(pid_file, name)
    if process:
        process.terminate()
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    pid_file.unlink(missing_ok=True)


def _marked(folder: Path) -> list[psutil.Process]:
    """What jobs of this cluster left running; not this process and those it runs in."""
    mine = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid not in mine and process.environ().get(MARK) == str(folder):
                found.append(process)
    return found


if __name__ == "__main__":
    if sys.argv[1] == "start":
        print(f"export SLURM_CONF={start(Path(sys.argv[2])).folder / 'slurm.conf'}")
    else:
        stop(Path(sys.argv[2]))
