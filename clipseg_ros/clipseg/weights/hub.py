# SPDX-License-Identifier: Apache-2.0
"""Published weights in the user's cache of the Hugging Face hub: find, download, verify.

Nothing here touches the network except `download`. The cache is the one that all programs of a user share, so
weights that `transformers` fetched are found too.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.utils import CacheNotFound, EntryNotFoundError, LocalEntryNotFoundError, tqdm

from clipseg_ros.clipseg.weights.shards import INDEX_SUFFIX, shard_names
from clipseg_ros.clipseg.weights.tensorfile import CheckpointError
from clipseg_ros.clipseg.weights.typed import typed

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""Weights in the Hugging Face layout, best first; each may lie there in parts, with an index."""

BACKBONE_FILE = "open_clip_model.safetensors"

LARGEST_WEIGHTS = 4 * 2**30
"""Bytes of weights, in all of their parts, that a download takes; the published network has a seventh of that."""

LARGEST_TEXT = 16 * 2**20
"""Bytes of a configuration or an index that a download takes."""

_CONFIG_FILE = "config.json"
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
_PINNED_NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)@([0-9a-f]{40})")
_CHUNK_BYTES = 1 << 20
_COUNTED_TWICE = 16 << 20
"""Bytes that a transfer may count more than once, because it took them up again."""


@dataclass(frozen=True)
class Release:
    """Weights on the Hugging Face hub.

    Attributes
    ----------
    names : what a user may call it, shortest first.
    repo : owner and name on the hub.
    revision : the commit that is downloaded; None where this package pins none.
    sha256 : SHA-256 of the files that a download takes, by name. Empty where this package knows none: then
        the files of the Hugging Face layout are taken and compared with what the hub announces.
    size : bytes of the weights file; None where unknown.
    """

    names: tuple[str, ...]
    repo: str
    revision: str | None
    licence: str
    sha256: dict[str, str] = field(default_factory=dict)
    size: int | None = None

    @property
    def weight_files(self) -> tuple[str, ...]:
        """The names that the weights, or the index of their parts, may have, best first."""
        if BACKBONE_FILE in self.sha256:
            return (BACKBONE_FILE,)
        return tuple(name for whole in WEIGHT_FILES for name in (whole, f"{whole}{INDEX_SUFFIX}"))


_CIDAS_LICENCE = "Apache-2.0 by the model card; the authors' repository excludes its weights from its MIT licence"

RELEASES = (
    Release(
        ("published", "rd64-refined", "CIDAS/clipseg-rd64-refined"),
        "CIDAS/clipseg-rd64-refined",
        "999e0328d9e10b484360c477313983f9afdd7050",
        _CIDAS_LICENCE,
        {
            "config.json": "c023375966d31b3b1392764f7bd91df47098ce19f62f11b0263d8eedcf708bcd",
            "preprocessor_config.json": "4fb09ebcfd7651205ca8299b993c30088e5535ef350a72d46c5c4580eeac0440",
            "model.safetensors": "d00ca85d6b859f9d07b7cfb8ef26fe9771cb275b34c9368f2ecf603139307f55",
        },
        603_049_496,
    ),
    Release(("rd64", "CIDAS/clipseg-rd64"), "CIDAS/clipseg-rd64", None, _CIDAS_LICENCE),
    Release(("rd16", "CIDAS/clipseg-rd16"), "CIDAS/clipseg-rd16", None, _CIDAS_LICENCE),
)
"""Complete CLIPSeg networks."""

BACKBONE = Release(
    ("clip-vit-b-16",),
    "timm/vit_base_patch16_clip_224.openai",
    "977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d",
    "MIT (OpenAI's CLIP)",
    {BACKBONE_FILE: "4b8699299b1e8997753c64b052ba32031449d5d853f55a039148560ee02b820f"},
    598_516_980,
)
"""OpenAI's CLIP ViT-B/16, on which the authors' decoder files were trained."""

AUTHORS_DECODERS = {
    "13845f6cee4d54ca46f62ee19dd354822094a26e0efccc64e606be93d6a7e26f": "rd64-uni.pth",
    "61545cdb3a28f99d33d457c64a9721ade835a9dfbda604c459de6831c504167a": "rd16-uni.pth",
}
"""SHA-256 of decoder files as recorded in the history of github.com/timojl/clipseg."""


def names() -> list[str]:
    """The short names of complete networks."""
    return [name for release in RELEASES for name in release.names if "/" not in name]


def find_release(name: str) -> Release | None:
    """The release of a known name or of "OWNER/NAME@COMMIT" with a full commit; None for anything else."""
    for release in RELEASES:
        if name in release.names:
            return release
    match = _PINNED_NAME.fullmatch(name)
    if match is None:
        return None
    known = [release for release in (*RELEASES, BACKBONE) if (release.repo, release.revision) == match.groups()]
    return known[0] if known else Release((name,), match[1], match[2], "see the model card")


def obtain(release: Release, *, allow_download: bool, cache_dir: str | Path | None = None) -> Path:
    """The directory of a release: cached, else downloaded if `allow_download`, else CheckpointError."""
    cached = find_cached(release, cache_dir=cache_dir)
    if cached is not None:
        return cached
    if not allow_download:
        raise CheckpointError(
            f"the weights {release.names[0]!r} are not in the cache {_cache(cache_dir)} and downloading is not "
            f"allowed; `{typed(f'weights download {release.names[0]}')}` fetches them"
        )
    return download(release, cache_dir=cache_dir)


def find_cached(release: Release, *, cache_dir: str | Path | None = None) -> Path | None:
    """The directory of a complete cached copy, the pinned revision before any other; None without one."""
    for revision in _revisions(release, cache_dir):
        *weights, config = (_cached(release, name, revision, cache_dir)
                            for name in (*release.weight_files, _CONFIG_FILE))
        weights = [file for file in weights if file is not None and _is_whole(file)]
        if weights and (config or release is BACKBONE):
            return weights[0].parent
    return None


def download(release: Release, *, cache_dir: str | Path | None = None) -> Path:
    """Fetch a release at its revision into the cache, with a progress bar, and return its directory.

    Files that are there already are kept when their hash is right; others are fetched, and take their place when they
    are whole. Proxies are those of the environment (HTTPS_PROXY, NO_PROXY). Raises CheckpointError when that is not
    possible, and for a file that is larger than weights of this network are or than the hub announces.
    """
    if release.revision is None:
        raise CheckpointError(
            f"this package pins no revision of {release.repo}; name one: "
            f"`{typed(f'weights download {release.repo}@COMMIT')}` with the 40 hexadecimal digits of a commit"
        )
    if constants.HF_HUB_OFFLINE:
        raise CheckpointError(f"{release.repo} cannot be downloaded while HF_HUB_OFFLINE is set")
    if release.sha256:
        fetched = [_fetch(release, name, cache_dir) for name in release.sha256]
    else:
        fetched = [_fetch(release, _CONFIG_FILE, cache_dir)]
        found = (_fetch(release, name, cache_dir, optional=True) for name in release.weight_files)
        weights = next(filter(None, found), None)
        if weights is None:
            raise CheckpointError(f"{release.repo} at {release.revision} has neither {' nor '.join(WEIGHT_FILES)}")
        left = LARGEST_WEIGHTS
        for name in shard_names(weights) if weights.name.endswith(INDEX_SUFFIX) else ():
            left -= _fetch(release, name, cache_dir, limit=left).stat().st_size
        for name in _PROCESSOR_FILES:
            _fetch(release, name, cache_dir, optional=True)
    return fetched[0].parent


def expected_hash(release: Release, file: Path) -> tuple[str, str] | None:
    """The hash that `file` of a cached release should have, and who says so; None when nobody does."""
    known = release.sha256.get(file.name) if file.parent.name == release.revision else None
    if known is not None:
        return known, "known"
    announced = file.resolve().name if file.is_symlink() else ""  # the cache names a file by the hub's hash of it
    if re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{40}", announced):
        return announced, "announced by the hub"
    return None


def hash_file(path: Path, *, like: str = "") -> str:
    """SHA-256 of a file; its Git blob hash where `like` is one (40 digits), as for small files of the hub."""
    if len(like) == 40:
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    else:
        digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _fetch(release: Release, name: str, cache_dir: str | Path | None, *, optional: bool = False,
           limit: int | None = None) -> Path | None:
    """One verified file of a release in the cache; None for an `optional` one that the hub does not have.

    limit : bytes that it may have; None for what is usual for a file of that name.
    """
    path = _cached(release, name, release.revision, cache_dir)
    if path is not None:
        if _is_intact(release, path):
            return path
        _remove(path)
    if limit is None:
        limit = LARGEST_TEXT if name.endswith(".json") else release.size or LARGEST_WEIGHTS
    try:
        size = _require_size(release, name, limit)
        path = Path(huggingface_hub.hf_hub_download(
            release.repo, name, revision=release.revision, cache_dir=_cache(cache_dir),
            **_ending_at(limit if size is None else size, f"{name} from {release.repo}")))
    except CheckpointError:
        raise
    except Exception as error:  # network, proxy, disk and hub errors differ between versions of huggingface_hub
        if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            if optional:
                return None
            raise CheckpointError(f"{release.repo} at {release.revision} has no file {name}") from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"the download of {name} from {release.repo}{_by_proxy()} failed, try it again: "
                              f"{reason}") from error
    if not _is_intact(release, path):
        expected, authority = expected_hash(release, path)
        _remove(path)
        raise CheckpointError(
            f"{name} from {release.repo} does not have the hash {expected} ({authority}) and was deleted; "
            "try the download again"
        )
    return path


def _require_size(release: Release, name: str, limit: int) -> int | None:
    """The bytes that the hub announces, if it does."""
    url = huggingface_hub.hf_hub_url(release.repo, name, revision=release.revision)
    size = huggingface_hub.get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT).size
    if size is not None and size > limit:
        raise CheckpointError(f"{name} from {release.repo} has {size:,} bytes and is not downloaded; it may have "
                              f"{limit:,} at most")
    return size


def _ending_at(size: int, what: str) -> dict[str, Any]:
    """What lets a download end that goes on behind its end, before it fills the disk; older huggingface_hub lack it."""
    class Bar(tqdm):
        _got = 0

        def update(self, n: float | None = 1) -> bool | None:
            self._got += n or 0
            if self._got > size + _COUNTED_TWICE:
                raise CheckpointError(f"{what} goes on after the {size:,} bytes that it should have and was ended; "
                                      "try the download again")
            return super().update(n)

    return {"tqdm_class": Bar} if "tqdm_class" in inspect.signature(huggingface_hub.hf_hub_download).parameters else {}


def _by_proxy() -> str:
    """The proxy that a download takes, for a sentence, without a password that it may have; empty without one."""
    hub, proxies = urlsplit(constants.ENDPOINT), getproxies()
    proxy = proxies.get(hub.scheme) or proxies.get("all")
    return f" through the proxy {proxy.rpartition('@')[2]}" if proxy and not proxy_bypass(hub.hostname or "") else ""


def _is_intact(release: Release, path: Path) -> bool:
    expected = expected_hash(release, path)
    return expected is None or hash_file(path, like=expected[0]) == expected[0]


def _is_whole(file: Path) -> bool:
    """Whether a file of weights is alone, or an index beside which all of its parts lie."""
    if not file.name.endswith(INDEX_SUFFIX):
        return True
    try:
        return all((file.parent / name).is_file() for name in shard_names(file))
    except CheckpointError:
        return False


def _remove(path: Path) -> None:
    blob = path.resolve()
    path.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)


def _cache(cache_dir: str | Path | None) -> Path:
    return Path(cache_dir if cache_dir is not None else constants.HF_HUB_CACHE).expanduser()


def _cached(release: Release, name: str, revision: str | None, cache_dir: str | Path | None) -> Path | None:
    """A file of a release at a revision in the cache; None without one, and for a name that the hub does not allow."""
    try:
        path = huggingface_hub.try_to_load_from_cache(release.repo, name, _cache(cache_dir), revision)
    except ValueError:
        return None
    return Path(path) if isinstance(path, str) else None  # there is a third answer: known not to be there


def _revisions(release: Release, cache_dir: str | Path | None) -> Iterator[str]:
    """Where to look in the cache: at the pinned revision, then the last known "main", then the others, newest first."""
    if release.revision is not None:
        yield release.revision
    if "@" in release.names[0]:
        return
    yield "main"
    try:
        repos = huggingface_hub.scan_cache_dir(_cache(cache_dir)).repos
    except (CacheNotFound, ValueError):  # no such folder, or a file of that name
        return
    mine = next((repo for repo in repos if (repo.repo_id, repo.repo_type) == (release.repo, "model")), None)
    for one in sorted(mine.revisions if mine else (), key=lambda one: one.last_modified, reverse=True):
        yield one.commit_hash
