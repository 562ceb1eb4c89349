"""How whole processes are measured, for the scripts beside this file: in turns with their peers, by median and least.

Memory is the largest resident set as GNU time gives it, mapped pages included; GNU time starts the command from a small
process, unlike Python, whose own pages the kernel would count.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(ROOT, "target", "release", "wheelwright")


def fail(why):
    sys.exit(f"benches/{os.path.basename(sys.argv[0])}: {why}")


def need(*programs):
    """Ends the run unless we are built and all `programs` are there: a figure alone says little."""
    if not os.access(PROGRAM, os.X_OK):
        fail("build first: cargo build --release")
    for program in programs:
        if shutil.which(program) is None:
            fail(f"{program} is not on PATH; a figure without its peer is not printed")


def once(command, directory=None):
    """Wall seconds of one run. Exit status 1 reports findings, which is fine; libtree's says the same."""
    silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    program, before = shutil.which(command[0]), os.getcwd()
    os.chdir(directory or before)
    begin = time.perf_counter()
    child = os.posix_spawn(program, command, os.environ, file_actions=silent)
    _, status = os.waitpid(child, 0)
    wall = time.perf_counter() - begin
    os.chdir(before)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        fail(f"{' '.join(command)} ended with {code}")
    return wall


def memory(command, directory=None):
    """The largest resident set in KiB."""
    with tempfile.NamedTemporaryFile("r") as said:
        timed = ["/usr/bin/time", "-q", "-f", "%M", "-o", said.name, *command]
        subprocess.run(timed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, cwd=directory)
        return int(said.read().split()[-1])


def measure(commands, runs, directory=None):
    """(median seconds, least seconds, KiB) of each command; the commands take turns, so that noise meets all alike."""
    for command in commands:
        once(command, directory)
    walls = [[] for _ in commands]
    for _ in range(runs):
        for wall, command in zip(walls, commands):
            wall.append(once(command, directory))
    return [(statistics.median(wall), min(wall), memory(command, directory)) for wall, command in zip(walls, commands)]


def fetch(requirement, place):
    """Fetches a wheel from PyPI into `place`; its path."""
    platform = ["--python-version=3.12", "--only-binary=:all:", "--no-deps"]
    platform += [f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 27, 17)]
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", place, *platform, requirement]
    if subprocess.run(download, check=False).returncode != 0:
        fail(f"pip can't fetch {requirement}")
    wheel, = (os.path.join(place, name) for name in os.listdir(place) if name.endswith(".whl"))
    return wheel


def where():
    """What was measured and how busy the machine was, for the table's head."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return f"commit {commit.stdout.strip()}, load {os.getloadavg()[0]:.1f} at the start"
