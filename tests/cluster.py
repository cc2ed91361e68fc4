"""A real Slurm on this machine: a controller and a few nodes, each a `slurmd` with CPUs and fake GPUs as it claims.

All of it lies in one folder and listens on 127.0.0.1 only. `python tests/cluster.py FOLDER` starts one by hand, and
ends it when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 60.0
CONFIGURATION = """\
ClusterName=mlbuild
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={root}/munge.socket,cred_expire=10
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/%n.log
SlurmdParameters=config_overrides
SlurmctldParameters=preempt_send_user_signal
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
PropagateResourceLimits=NONE
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=300
MaxArraySize=1001
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=10
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1,requeue_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdTimeout=10
MessageTimeout=5
KillWait=3
BatchStartTimeout=10
CompleteWait=0
InactiveLimit=0
ReturnToService=2
TCPTimeout=2
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=5 PreemptMode=OFF
PartitionName=spot Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
"""


class Cluster:
    """One that is up.

    Args:
        root: its folder, absolute and short: sockets lie in it.
    """

    def __init__(self, root: Path, nodes: int = 2, cpus: int = 8, gpus: int = 2) -> None:
        self.root = root
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self._cpus, self._gpus = cpus, gpus
        self.environment = {"SLURM_CONF": str(root / "slurm.conf")}

    def start(self) -> None:
        for folder in ("state", "gpus", *self.nodes):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "munge.key").write_bytes(os.urandom(128))
        (self.root / "munge.key").chmod(0o600)
        self._configure()
        self._daemon(
            "munged",
            "--force",
            f"--socket={self.root}/munge.socket",
            f"--key-file={self.root}/munge.key",
            f"--pid-file={self.root}/munged.pid",
            f"--log-file={self.root}/munged.log",
            f"--seed-file={self.root}/munge.seed",
        )
        self.start_controller()
        for node in self.nodes:
            self.restore(node)
        until(lambda: self.ask("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split() == ["idle"] * len(self.nodes))

    def _configure(self) -> None:
        port, host = _free_ports(1 + len(self.nodes)), socket.gethostname().partition(".")[0]
        text = CONFIGURATION.format(root=self.root, port=port, host=host, user=getpass.getuser())
        gres = ""
        for number, node in enumerate(self.nodes, 1):
            at = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={port + number}"
            has = f"CPUs={self._cpus} RealMemory=4000 Gres=gpu:{self._gpus}"
            text += f"NodeName={node} {at} {has} State=UNKNOWN\n"
            for index in range(self._gpus):
                # Slurm wants a device, and takes a link to one.
                (self.root / "gpus" / node).mkdir(exist_ok=True)
                (self.root / "gpus" / node / f"nvidia{index}").symlink_to("/dev/null")
            gres += f"NodeName={node} Name=gpu File={self.root}/gpus/{node}/nvidia[0-{self._gpus - 1}]\n"
        (self.root / "slurm.conf").write_text(text)
        (self.root / "gres.conf").write_text(gres)

    def _daemon(self, *words: str) -> None:
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        environment = {**os.environ, **self.environment, "PATH": path}
        program = shutil.which(words[0], path=path)
        assert program, f"there is no {words[0]}: tests/run installs it"
        ended = subprocess.run([program, *words[1:]], env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert ended.returncode == 0, f"{words[0]}: {ended.stdout}{ended.stderr}"

    def ask(self, *words: str) -> str:
        """What a command of Slurm's says."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE).stdout

    # --- what can happen to one

    def configure(self, old: str, new: str) -> None:
        """Have it go on with another line in its configuration."""
        file = self.root / "slurm.conf"
        file.write_text(file.read_text().replace(f"{old}\n", f"{new}\n"))
        self.stop_controller()
        self.start_controller()

    def start_controller(self) -> None:
        self._daemon("slurmctld", "-f", f"{self.root}/slurm.conf")

    def stop_controller(self) -> None:
        """Nobody answers any more; all that it knows it will know again."""
        pid = self._pid("slurmctld")
        os.kill(pid, signal.SIGTERM)
        until(lambda: not _lives(pid))

    def forget(self) -> None:
        """The controller dies, comes back, and knows nothing of any job."""
        _kill(self._pid("slurmctld"))
        for file in (self.root / "state").glob("job_state*"):
            file.unlink()
        self.start_controller()
        until(lambda: self.ask("sinfo", "-h"))

    def fail(self, node: str) -> None:
        """The power of a node is gone: nothing of it lives, and Slurm knows."""
        self.cut_off(node)
        _kill(*self._steps(node))
        self.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def cut_off(self, node: str) -> None:
        """Slurm hears no more of a node; what runs there goes on."""
        _kill(self._pid(node))

    def restore(self, node: str) -> None:
        self._daemon("slurmd", "-N", node, "-f", f"{self.root}/slurm.conf")
        self.ask("scontrol", "update", f"nodename={node}", "state=resume")

    def _pid(self, name: str) -> int:
        path = self.root / f"{name}.pid"
        pid = int(path.read_text()) if path.exists() else 0
        path.unlink(missing_ok=True)
        return pid

    def _steps(self, node: str = "") -> list[int]:
        """Those of our processes that carry out jobs, with all that descends from them."""
        steps = [pid for pid in _pids() if self._is_step(pid, node)]
        return [pid for step in steps for pid in (step, *below(step))]

    def _is_step(self, pid: int, node: str) -> bool:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text() == "slurmstepd\n":
                ours = f"{self.root}/{node}" if node else f"{self.root}/"
                return any(os.readlink(file).startswith(ours) for file in Path(f"/proc/{pid}/fd").iterdir())
        return False

    def stop(self) -> None:
        _kill(*(self._pid(name) for name in ("slurmctld", *self.nodes)))
        _kill(*self._steps())
        _kill(self._pid("munged"))
        shutil.rmtree(self.root, ignore_errors=True)


def until(holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "the cluster never came to that"
        time.sleep(0.05)


def _free_ports(count: int) -> int:
    """The first of so many in a row on which nobody listens."""
    for port in range(17000 + os.getpid() % 100 * 20, 32000, 20):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for number in range(count):
                listener = stack.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("127.0.0.1", port + number))
            return port
    raise AssertionError("there are no free ports")


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def below(pid: int) -> Iterator[int]:
    """All processes that descend from one."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from below(child)


def _kill(*pids: int) -> None:
    """KILL, and wait until they are gone or only wait to be reaped."""
    for pid in filter(None, pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in filter(None, pids):
        until(lambda pid=pid: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


if __name__ == "__main__":
    cluster = Cluster(Path(sys.argv[1]).resolve())
    cluster.start()
    print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}", flush=True)
    sys.stdin.read()
    cluster.stop()
