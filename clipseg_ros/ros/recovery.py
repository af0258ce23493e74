# SPDX-License-Identifier: Apache-2.0
"""What a node does after its GPU failed while it ran: load the network anew, once, and after that give up."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clipseg_ros.ros.reports import sentence_of


class Recovery:
    """Watches over the network's work, in the thread that runs it.

    The work that failed is not done again: whoever asked for it is told. The network is loaded anew before the next.

    Parameters
    ----------
    remedy : for an error of the GPU's, what lets go of the network and loads it anew; None for others, which cost
        nothing but the work they broke
    give_up : called once, with a sentence, after another such error or where the remedy raises one
    """

    def __init__(self, remedy: Callable[[Exception], Callable[[], None] | None], *,
                 give_up: Callable[[str], None]) -> None:
        self._remedy, self._give_up = remedy, give_up
        self._renew: Callable[[], None] | None = None
        self._failure = ""
        self._renewed = self._given_up = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around work of the network. ValueError, with a sentence, once it was given up."""
        if self._failure and not self._renewed:
            self._try_anew()
        if self._given_up:
            raise ValueError(self._failure)
        try:
            yield
        except Exception as error:
            renew = self._remedy(error)
            if renew is not None:
                self._renew = renew
                what = str(error).partition("\n")[0]
                self._failure = f"the GPU failed: {what}"
                if self._renewed:
                    self._end(f"the GPU failed again after the network was loaded anew: {what}")
            raise

    def _try_anew(self) -> None:
        self._renewed = True
        try:
            self._renew()
        except Exception as error:  # whatever it is, there is no network
            self._end(f"{self._failure}; the network cannot be loaded anew: {sentence_of(error)}")

    def _end(self, sentence: str) -> None:
        self._failure, self._given_up = sentence, True
        self._give_up(sentence)
