# SPDX-License-Identifier: Apache-2.0
"""The machine's description, from what an operating system says."""

import types

import pytest
import torch

from clipseg_ros.lab.benchmarking import machine
from clipseg_ros.lab.benchmarking.machine import Processor, describe_machine, list_versions, other_load, parse_cpuinfo

X86 = """processor\t: 0
model name\t: Example 9000 @ 2.00GHz
flags\t\t: fpu sse2 avx2 avx512f avx512_bf16 amx_int8

processor\t: 1
model name\t: Another
flags\t\t: fpu
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\nCPU part\t: 0xd42\n"


@pytest.mark.parametrize(("text", "processor"), [
    (X86, Processor("Example 9000 @ 2.00GHz", ("AVX2", "AVX-512", "AVX-512 BF16", "AMX INT8"))),
    (ARM, Processor("", ("NEON", "BF16", "I8MM"))),
    ("", Processor("", ())),
])
def test_processors(text, processor):
    assert parse_cpuinfo(text) == processor


def test_a_board_is_named_rather_than_its_processor(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(X86)
    (tmp_path / "model").write_text("Example Orin Kit\0")
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "_BOARD", tmp_path / "none")
    found = describe_machine(torch.device("cpu"))
    assert (found.processor, found.gpu) == ("Example 9000 @ 2.00GHz", None)
    assert found.cores >= 1 and "AVX-512" in found.instruction_sets
    monkeypatch.setattr(machine, "_BOARD", tmp_path / "model")
    assert describe_machine(torch.device("cpu")).processor == "Example Orin Kit"


def test_a_machine_that_says_nothing_is_described_all_the_same(tmp_path, monkeypatch):
    for name in ("_CPUINFO", "_BOARD"):
        monkeypatch.setattr(machine, name, tmp_path / "none")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "riscv64")
    assert describe_machine(torch.device("cpu")).processor == "riscv64"


def test_a_gpu_is_named(monkeypatch):
    properties = types.SimpleNamespace(name="Example GPU", total_memory=8 * 2**30, major=8, minor=7)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    assert describe_machine(torch.device("cuda", 0)).gpu.startswith("Example GPU, 8 GiB, compute capability 8.7, CUDA")


def test_only_what_is_installed_has_a_version(monkeypatch):
    monkeypatch.setattr(machine, "PACKAGES", ("torch", "no-such-package-of-anybody"))
    assert list(list_versions()) == ["Python", "clipseg_ros", "torch"]


@pytest.mark.parametrize(("load", "said"), [(0.9, False), (1.1, True)])
def test_a_busy_machine_is_mentioned(monkeypatch, load, said):
    monkeypatch.setattr(machine, "_usable_cores", lambda: 4)
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert (other_load() is not None) == said
    if said:
        assert "the load was 1.1 on 4 cores" in other_load()
