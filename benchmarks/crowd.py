# SPDX-License-Identifier: Apache-2.0
"""What becomes of a running node while subscribers and publishers of its topics come and go.

    python benchmarks/crowd.py [--comers 10000] [--seed 1] [--weights untrained]

Eight of them are there at a time: subscribers of its results, publishers of its inputs with every quality of service,
which it has to follow, and clients that are gone before they are answered; every fiftieth comes as a participant of its
own. After each one a camera films a wall with depth, and the wall's place must come. The same seed sends the same
(test/helpers/crowd.py).

Bars: no crash, every picture's result right, memory that grows by less than a tenth from the second fifth to the last,
and no more descriptors and threads at the end than at the beginning.
"""
from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test" / "helpers"))
from crowd import Crowd  # noqa: E402
from filming import EVERYTHING  # noqa: E402
from footprint import Footprint  # noqa: E402
from ros_peers import Peer, TestedNode  # noqa: E402

GROWTH = 1.1
"""Ratio of the memory in the last fifth to that in the second."""


def main() -> int:
    """Let them come and go, and print; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comers", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weights", default="untrained")
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    log = Path(tempfile.mkstemp(prefix="clipseg_crowd_", suffix=".log")[1])
    process, peer = TestedNode(log, namespace="/crowd", parameters={
        "weights": options.weights, "prompts": f"['{EVERYTHING}']"}).start(), Peer()
    try:
        peer.wait_until_active(process, "/crowd/clipseg")
        crowd = Crowd(peer, inputs="/crowd", outputs="/crowd/clipseg", node="/crowd/clipseg", seed=options.seed)
        crowd.film()
        before, start, memory = Footprint.of(process.pid), time.monotonic(), []
        for _ in tqdm(range(options.comers), desc="comings and goings"):
            crowd.step()
            memory.append(Footprint.of(process.pid).memory)
        spent = time.monotonic() - start
        crowd.leave()
        crowd.film()
        peer.spin_for(5.0)  # those who went are let go of a little later
        after = Footprint.of(process.pid)
        crowd.close()
    finally:
        status = process.stop()
        peer.close()
    fifths = [float(np.median(part)) for part in np.array_split(memory, 5)]
    print(", ".join(f"{count} {kind}" for kind, count in crowd.came.most_common()) + f" in {spent:.0f} s")
    print(f"{crowd.filmed} pictures, each with its result; {crowd.again} had to be sent again")
    print("memory by fifths, MB: " + ", ".join(f"{one:.0f}" for one in fifths))
    print(f"descriptors {before.descriptors} to {after.descriptors}, threads {before.threads} to {after.threads}")
    missed = {"the node ended": bool(status), "wrong results": bool(crowd.faults),
              "memory": fifths[4] > GROWTH * fifths[1], "descriptors": after.descriptors > before.descriptors, "threads": after.threads > before.threads}
    print("bars met" if not any(missed.values()) else f"bars MISSED: {[name for name, one in missed.items() if one]}")
    return int(any(missed.values()))


if __name__ == "__main__":
    sys.exit(main())
