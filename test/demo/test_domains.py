# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket

import pytest

from clipseg_ros.demo import domains


def test_a_claimed_domain_is_kept_until_it_is_closed(monkeypatch, tmp_path):
    monkeypatch.setattr(domains.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(domains, "DOMAINS", range(60, 62))
    monkeypatch.setattr(domains, "is_quiet", lambda domain: True)
    first, held = domains.claim_domain()
    second, other = domains.claim_domain()
    assert {first, second} == {60, 61}
    with pytest.raises(OSError, match="all ROS domains from 60 to 61 are in use"):
        domains.claim_domain()
    held.close()
    third, held = domains.claim_domain()
    assert third == first
    held.close()
    other.close()


def test_a_participant_makes_a_domain_unquiet():
    quiet, held = domains.claim_domain()
    with held, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(("0.0.0.0", 7400 + 250 * quiet + 10))
        assert not domains.is_quiet(quiet)


@pytest.mark.parametrize("left", ["fastrtps_port22411", "fastdds_port22417_el"])
def test_a_domain_in_which_processes_were_killed_is_the_last_choice(monkeypatch, tmp_path, left):
    monkeypatch.setattr(domains.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(domains, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(domains, "DOMAINS", range(60, 62))
    monkeypatch.setattr(domains, "is_quiet", lambda domain: True)
    (tmp_path / left).touch()
    first, held = domains.claim_domain()
    second, other = domains.claim_domain()
    with held, other:
        assert (first, second) == (61, 60)
