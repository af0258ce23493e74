#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the environment in which the package is built, tested and shown, and runs a command in it.

    scripts/bootstrap.py [COMMAND [ARGUMENT ...]]

The environment is a virtual environment in `.venv`, or where the variable CLIPSEG_VENV says: ROS 2 and everything
else at the exact versions of requirements/, with this package built into it. CLIPSEG_ROS_DISTRO names another
distribution of ROS 2 than the default; its environment is `.venv-DISTRIBUTION`. An environment is made once; later runs
only look whether the versions or the interfaces changed. Needs nothing but a Python 3.10 to 3.13 (CLIPSEG_PYTHON
names one) and a C++ compiler.
"""

import fcntl
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
DISTRIBUTIONS = ("jazzy", "kilted")  # those that PyPI has; the first is the default: maintained until May 2029
STATE_FILE = "clipseg_environment.json"
PYTHON_NAMES = ("python3.12", "python3.11", "python3.13", "python3.10", "python3", "python")
PYTHON_PLACES = ("~/.local/bin", "~/.local/share/uv/python/*/bin", "~/.pyenv/versions/*/bin")  # beside the PATH
ENVIRONMENT_BYTES = 8 * 10**9  # measured: 6.1 GB with the build
DOWNLOAD_BYTES = 3 * 10**9  # measured: 2.7 GB in pip's temporary folder
PACKAGE = "clipseg_ros"

ABOUT_PYTHON = """
import ensurepip, os, sys, sysconfig, venv
print(sys.version_info[0], sys.version_info[1], os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
"""
ABOUT_PATHS = """
import json, numpy, sys, sysconfig
print(json.dumps([sysconfig.get_path("include"), numpy.get_include(), sys.prefix]))
"""


class BootstrapError(Exception):
    """Something on this machine is missing; the message is one sentence for the user."""


def say(text):
    print("clipseg_ros: " + text, flush=True)


def distribution():
    """The distribution of ROS 2 that the environment is to have."""
    name = os.environ.get("CLIPSEG_ROS_DISTRO") or DISTRIBUTIONS[0]
    if name not in DISTRIBUTIONS:
        raise BootstrapError(
            "CLIPSEG_ROS_DISTRO is %r; PyPI has the distributions %s. For another one install ROS 2 itself and build "
            "with colcon." % (name, " and ".join(DISTRIBUTIONS))
        )
    return name


def environment_folder():
    """Absolute path of the environment."""
    name = ".venv" if distribution() == DISTRIBUTIONS[0] else ".venv-" + distribution()
    return Path(os.environ.get("CLIPSEG_VENV") or ROOT / name).expanduser().absolute()


def locks():
    """The files with the exact versions: what all distributions have in common, then the packages of ROS 2."""
    return [REQUIREMENTS / "lock.txt", REQUIREMENTS / ("ros-%s.txt" % distribution())]


def python_of(environment):
    return environment / "bin" / "python"


# ---- what is there already


def packages_fingerprint(environment):
    """Changes with the pinned versions and with the place of the environment, which is baked into its files."""
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in locks()) + str(environment).encode()).hexdigest()


def build_fingerprint(environment):
    """Changes with the source tree, the interfaces, the build files and the names of the files that are installed."""
    digest = hashlib.sha256((packages_fingerprint(environment) + str(ROOT)).encode())
    for folder in ("action", "msg", "srv"):
        for path in sorted((ROOT / folder).iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
    for name in ("CMakeLists.txt", "package.xml"):
        digest.update((ROOT / name).read_bytes())
    for folder in (PACKAGE, "config", "launch", "resource", "scripts"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode())
    return digest.hexdigest()


def read_state(environment):
    """What the last run finished: {"distribution": name, "packages": fingerprint, "build": fingerprint}.

    {} where there was none.
    """
    try:
        state = json.loads((environment / STATE_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(environment, **state):
    (environment / STATE_FILE).write_text(json.dumps(dict(state, distribution=distribution())) + "\n")


def works(environment):
    """Whether the environment's interpreter starts and knows its place."""
    command = [str(python_of(environment)), "-c", "import sys; print(sys.prefix)"]
    try:
        output = subprocess.run(
            command, env=clean_variables(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return os.path.realpath(output.decode().strip()) == os.path.realpath(str(environment))


# ---- what the machine must have


def describe_python(command):
    """((major, minor), complaint) of an interpreter; None where it does not run."""
    try:
        result = subprocess.run([command, "-c", ABOUT_PYTHON], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        return None
    version = subprocess.run([command, "-V"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
    match = re.search(r"Python (\d+)\.(\d+)", version)
    if not match:
        return None
    number = (int(match.group(1)), int(match.group(2)))
    name = "python%d.%d" % number
    if result.returncode:
        return number, "%s lacks the module venv (Debian, Ubuntu: install %s-venv)" % (command, name)
    if result.stdout.decode().split()[2] != "True":
        return number, "%s lacks its C headers (Debian, Ubuntu: install %s-dev)" % (command, name)
    return number, ""


def find_python():
    """Path of a Python 3.10 to 3.13 that can make an environment and build against its headers."""
    wanted = os.environ.get("CLIPSEG_PYTHON")
    names = [wanted] if wanted else [sys.executable] + installed_pythons()
    complaints = []
    for name in filter(None, names):
        found = describe_python(name)
        if found and (3, 10) <= found[0] <= (3, 13):
            if not found[1]:
                return name
            complaints.append(found[1])
    if complaints:
        raise BootstrapError("no usable Python: " + complaints[0] + ".")
    where = "CLIPSEG_PYTHON=%s is none" % wanted if wanted else "there is none beside %d.%d" % sys.version_info[:2]
    raise BootstrapError(
        "a Python 3.10, 3.11, 3.12 or 3.13 is needed and %s; `uv python install 3.12` (uv: pip install uv, or pipx) "
        "brings one beside the system's, and CLIPSEG_PYTHON can name one." % where
    )


def installed_pythons():
    """Paths of what the PATH has, then of what uv and pyenv have installed."""
    on_path = [shutil.which(name) for name in PYTHON_NAMES]
    places = [place for pattern in PYTHON_PLACES for place in sorted(glob.glob(os.path.expanduser(pattern)))]
    return on_path + [shutil.which(name, path=place) for name in PYTHON_NAMES for place in places]


def check_platform(system=platform.system(), machine=platform.machine()):
    if (system, machine) != ("Linux", "x86_64"):
        raise BootstrapError(
            "ROS 2 comes as Python packages for Linux on x86_64 only, and this is %s on %s; "
            "install ROS 2 itself and build with colcon." % (system, machine)
        )


def check_compiler():
    tools = {"C compiler": os.environ.get("CC", "cc"), "C++ compiler": os.environ.get("CXX", "c++"), "make": "make"}
    missing = [
        "%s (%s)" % (what, command) for what, command in tools.items() if not shutil.which(command.split()[0])
    ]
    if missing:
        raise BootstrapError("%s not found (Debian, Ubuntu: install build-essential)." % " and ".join(missing))


def check_space(folder, needed):
    """folder need not exist yet; needed in bytes."""
    existing = next(path for path in [folder] + list(folder.parents) if path.exists())
    free = shutil.disk_usage(str(existing)).free
    if free < needed:
        raise BootstrapError(
            "%s has %.1f GB of free space and %.0f GB are needed." % (existing, free / 1e9, needed / 1e9)
        )


# ---- making it


def create(environment):
    """An empty virtual environment, in place of what is left of an interrupted one."""
    if environment.exists():
        ours = (environment / "pyvenv.cfg").exists() or (environment / STATE_FILE).exists()
        if not ours and any(environment.iterdir()):
            raise BootstrapError("%s is not empty and not a virtual environment; it is left alone." % environment)
        say("removing the unfinished, moved or other distribution's environment in %s" % environment)
        shutil.rmtree(str(environment))
    python = find_python()
    check_space(environment, ENVIRONMENT_BYTES)
    check_space(Path(tempfile.gettempdir()), DOWNLOAD_BYTES)
    say("creating an environment in %s with %s" % (environment, python))
    environment.mkdir(parents=True)
    write_state(environment, unfinished=True)
    subprocess.run([python, "-m", "venv", str(environment)], env=clean_variables(), check=True)


def install_packages(environment):
    """Brings the environment to the pinned versions."""
    write_state(environment, unfinished=True)
    say("installing the pinned packages (about 3 GB to download the first time)")
    command = [str(python_of(environment)), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    command += [word for lock in locks() for word in ("-r", str(lock))]
    process = subprocess.Popen(command, env=variables(environment), stderr=subprocess.PIPE, universal_newlines=True)
    complaints = []
    for line in process.stderr:
        sys.stderr.write(line)
        complaints.append(line)
    if process.wait():
        raise BootstrapError("the packages could not be installed: %s." % explain_pip("".join(complaints)))
    adapt_cmake_files(environment)
    check_imports(environment)
    write_state(environment, packages=packages_fingerprint(environment))


def explain_pip(complaints):
    """pip's complaints in a few words."""
    if "No space left" in complaints:
        return "the disk is full"
    if re.search(r"Retrying|ConnectionError|NewConnection|timed out|Name or service|resolution", complaints):
        return "the package index did not answer; look at the network and run this again"
    return "pip gave up, its words are above; run this again once they are dealt with"


def adapt_cmake_files(environment):
    """Replaces the paths of the machine on which the ROS packages were made by those of the environment."""
    output = subprocess.run([str(python_of(environment)), "-c", ABOUT_PATHS], stdout=subprocess.PIPE, check=True)
    python_headers, numpy_headers, prefix = json.loads(output.stdout.decode())
    for path in environment.glob("share/**/*.cmake"):
        text = path.read_text()
        adapted = adapt_cmake_text(text, python_headers, numpy_headers, prefix)
        if adapted != text:
            path.write_text(adapted)


def adapt_cmake_text(text, python_headers, numpy_headers, prefix):
    made_at = r"/opt/python/cp\d+-cp\d+"
    text = re.sub(made_at + r"/lib/python3\.\d+/site-packages/numpy/[\w/]*include", lambda _: numpy_headers, text)
    text = re.sub(made_at + r"/include/python3\.\d+", lambda _: python_headers, text)
    return re.sub(r"/project/build/temp[^;\"\s]*?/install", lambda _: prefix, text)


def check_imports(environment):
    """Some wheels need libraries of the system."""
    for module in ("cv2", "torch", "rclpy"):
        result = subprocess.run(
            [str(python_of(environment)), "-c", "import " + module],
            env=variables(environment), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )
        if result.returncode:
            reason = (result.stderr.decode().strip().splitlines() or ["it crashed"])[-1]
            hint = " (Debian, Ubuntu: install libgl1 and libglib2.0-0)" if module == "cv2" else ""
            raise BootstrapError("the module %s does not start: %s%s." % (module, reason, hint))


def build(environment):
    """Builds this package into the environment, which is its install space too."""
    check_compiler()
    say("building the package")
    write_state(environment, packages=packages_fingerprint(environment))
    fingerprint = build_fingerprint(environment)
    space = environment / "colcon"
    command = [
        str(environment / "bin" / "colcon"), "--log-base", str(space / "log"), "build",
        "--symlink-install", "--merge-install", "--install-base", str(environment),
        "--build-base", str(space / "build" / build_name()), "--base-paths", str(ROOT), "--packages-select", PACKAGE,
        "--cmake-args", "-DPython3_EXECUTABLE=" + str(python_of(environment)), "-DBUILD_TESTING=OFF",
    ]
    if subprocess.run(command, env=variables(environment), cwd=str(environment)).returncode:
        raise BootstrapError("the build failed; the compiler's words are above and in %s." % (space / "log"))
    remove_dangling_links(environment)
    write_state(environment, packages=packages_fingerprint(environment), build=fingerprint)


def build_name():
    """CMake keeps the place of the sources: another tree that shares the environment needs a folder of its own."""
    return hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]


def remove_dangling_links(environment):
    """What was renamed or removed in the source tree leaves links behind."""
    for pattern in ("lib/python3.*/site-packages/" + PACKAGE, "lib/" + PACKAGE, "share/" + PACKAGE):
        for folder in environment.glob(pattern):
            for path in folder.rglob("*"):
                if path.is_symlink() and not path.exists():
                    path.unlink()


def prepare():
    """The environment, ready. Runs beside this one wait for it."""
    environment = environment_folder()
    with locks()[0].open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        bring_up_to_date(environment)
    return environment


def bring_up_to_date(environment):
    state = read_state(environment)
    if state.get("packages") != packages_fingerprint(environment) or not works(environment):
        check_platform()
        check_compiler()
        if "unfinished" in state or state.get("distribution") != distribution() or not works(environment):
            create(environment)
        install_packages(environment)
        state = {}
    if state.get("build") != build_fingerprint(environment) or not (environment / "colcon").exists():
        build(environment)
        say("the environment is ready; `source %s` gives a shell in it" % (environment / "setup.bash"))


# ---- running in it


def clean_variables():
    """This process's variables without those of another ROS installation or virtual environment."""
    kept = dict(os.environ)
    others = [path for name in ("AMENT_PREFIX_PATH", "COLCON_PREFIX_PATH") for path in kept.get(name, "").split(":")]
    others = tuple(path for path in others if path)
    for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "CMAKE_PREFIX_PATH"):
        if name in kept:
            parts = [path for path in kept[name].split(":") if path and not path.startswith(others)]
            kept[name] = ":".join(parts) if others else kept[name]
    for name in ("PYTHONHOME", "RMW_IMPLEMENTATION", "COLCON_PREFIX_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"):
        kept.pop(name, None)
    return kept


def variables(environment):
    """The variables of a process that runs in the environment."""
    changed = clean_variables()
    changed["PATH"] = "%s:%s" % (environment / "bin", changed.get("PATH", os.defpath))
    changed["VIRTUAL_ENV"] = changed["AMENT_PREFIX_PATH"] = changed["CMAKE_PREFIX_PATH"] = str(environment)
    changed["ROS_DISTRO"] = distribution()
    return changed


def main(arguments):
    try:
        environment = prepare()
    except BootstrapError as error:
        print("clipseg_ros: " + str(error), file=sys.stderr)
        return 1
    except (OSError, subprocess.CalledProcessError) as error:
        print("clipseg_ros: the environment could not be made: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("clipseg_ros: interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    if not arguments:
        say("the environment in %s is up to date" % environment)
        return 0
    inside = variables(environment)
    command = shutil.which(arguments[0], path=inside["PATH"]) or arguments[0]
    sys.stdout.flush()
    try:
        os.execve(command, arguments, inside)
    except OSError as error:
        print("clipseg_ros: %s does not start: %s" % (arguments[0], error.strerror), file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
