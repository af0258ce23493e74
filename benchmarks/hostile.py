# SPDX-License-Identifier: Apache-2.0
"""What a running node makes of messages and requests that no honest peer sends.

    python benchmarks/hostile.py [--messages 10000] [--cycles 200] [--seed 1] [--weights untrained]

Half of the messages go to a node that takes raw images, half to one that takes compressed ones; both remember what they
see. Each hostile step is followed by a good picture whose mask must come, every twentieth by good depth whose objects
must have places, and by a good request whose answer must be that of the beginning. Then each node goes through its
lifecycle with requests and pictures in every state. The same seed sends the same (test/helpers/hostile_messages.py).

Meanwhile another peer asks for the node's state 10 times a second, transitions aside. A callback blocked for no longer
than the answer took; on a busy machine that is mostly the wait for a processor, so what the node's threads waited for
one, all together, is taken off for the bar: on a quiet machine that is nothing.

Bars: no crash, no answer without a sentence, no good result lost, no error that nobody foresaw, no callback blocked for
0.5 s, and memory that grows by less than a tenth from the second fifth of the messages to the last.
"""
from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from lifecycle_msgs.srv import GetState
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test" / "helpers"))
from attack import MEMORY, Attack  # noqa: E402
from footprint import Footprint  # noqa: E402
from ros_peers import Peer, TestedNode  # noqa: E402

BLOCKED = 0.5
"""Seconds."""
GROWTH = 1.1
"""Ratio of the memory in the last fifth to that in the second."""
NODE = "/hostile/clipseg"


class Pulse:
    """Asks a node for its state again and again, from a thread of its own.

    Attributes
    ----------
    paused : set while an answer may take its time
    doing : says what is being done to the node
    waits, blocked : seconds of each answer, and less the wait for a processor
    slow : what blocked for too long, in words
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.paused = False
        self.doing: Callable[[], str] = str
        self.waits: list[float] = []
        self.blocked: list[float] = []
        self.slow: list[str] = []

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        peer = Peer()
        peer.call(GetState, f"{NODE}/get_state")  # until they know each other
        while not self._end.wait(0.1):
            if self.paused:
                continue
            start, queued, doing = time.monotonic(), self._queued(), self.doing()
            peer.call(GetState, f"{NODE}/get_state")
            waited = time.monotonic() - start
            if not self.paused:
                self.waits.append(waited)
                self.blocked.append(max(waited - (self._queued() - queued), 0.0))
                if self.blocked[-1] > BLOCKED:
                    self.slow.append(f"{self.blocked[-1]:.2f} s at {doing} to {self.doing()}")
        peer.close()

    def _queued(self) -> float:
        """Seconds for which the node's threads and this one could run and got no processor."""
        files = [*Path(f"/proc/{self._pid}/task").glob("*/schedstat"),
                 Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")]
        queued = 0
        for file in files:
            with contextlib.suppress(OSError):  # a thread that has just ended
                queued += int(file.read_text(encoding="ascii").split()[1])
        return queued * 1e-9


def attack(options: argparse.Namespace, *, compressed: bool) -> dict[str, list[str]]:
    """Attack one node, print what it cost, and return its faults."""
    transport = "compressed" if compressed else "raw"
    parameters = {"weights": options.weights, "image_transport": transport, "depth_transport": transport, **MEMORY}
    log = Path(tempfile.mkstemp(prefix="clipseg_hostile_", suffix=".log")[1])
    process, peer = TestedNode(log, namespace="/hostile", parameters=parameters).start(), Peer()
    try:
        one = Attack(peer, process, name=NODE, seed=options.seed, compressed=compressed)
        one.begin()
        with Pulse(process.pid) as pulse:
            one.busy = lambda on: setattr(pulse, "paused", on)
            pulse.doing = lambda: one.doing
            sizes = _steps(one, options.messages // 2, process)
            before, start = Footprint.of(process.pid).memory, time.monotonic()
            for number in tqdm(range(options.cycles // 2), desc=f"{transport}: lifecycle"):
                one.cycle(number)
            after, spent = Footprint.of(process.pid).memory, time.monotonic() - start
        faults = one.faults()
        _print(one, pulse, sizes, f"{options.cycles // 2} times through the lifecycle in {spent:.0f} s, memory "
                                  f"{before:.0f} to {after:.0f} MB")
        one.close()
    finally:
        status = process.stop()
        peer.close()
    if status:
        faults["crashes"].append(f"the node ended with {status}")
    fifth = len(sizes) // 5
    growth = median(sizes[-fifth:]) / median(sizes[fifth:2 * fifth])
    return {**faults, "callbacks blocked": pulse.slow, "memory": [f"grown {growth:.2f} times"] if growth > GROWTH else []}


def _steps(one: Attack, messages: int, process: TestedNode) -> list[float]:
    """Send so many hostile messages and requests; returns the node's megabytes after each step."""
    sizes: list[float] = []
    with tqdm(total=messages, desc="hostile messages") as bar:
        while (done := sum(one.sent.values())) < messages and not process.ended:
            one.step(len(sizes))
            sizes.append(Footprint.of(process.pid).memory)
            bar.update(sum(one.sent.values()) - done)
    return sizes


def _print(one: Attack, pulse: Pulse, sizes: list[float], lifecycle: str) -> None:
    kinds = ", ".join(f"{count} {kind}" for kind, count in one.sent.most_common())
    print(f"{sum(one.sent.values())} hostile: {kinds}")
    print(f"{one.good} good pictures between them; {lifecycle}")
    fifths = ", ".join(f"{np.median(part):.0f}" for part in np.array_split(sizes, 5))
    print(f"memory by fifths of the messages, MB: {fifths}")
    for name, waits in (("an answer meanwhile", pulse.waits), ("less the wait for a processor", pulse.blocked)):
        middle, late, longest = 1e3 * np.quantile(waits, [0.5, 0.99, 1.0])
        print(f"{name}: median {middle:.0f} ms, 99 % within {late:.0f} ms, longest {longest:.0f} ms, "
              f"{sum(wait > BLOCKED for wait in waits)} of {len(waits)} above {1e3 * BLOCKED:.0f} ms")


def main() -> int:
    """Attack both nodes and print; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weights", default="untrained")
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    missed = 0
    for compressed in (False, True):
        print(f"{'compressed' if compressed else 'raw'} images")
        for name, faults in attack(options, compressed=compressed).items():
            print(f"  {name}: {len(faults)}" + "".join(f"\n    {fault}" for fault in faults[:20]))
            missed += bool(faults)
    print("bars met" if not missed else "bars MISSED")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
