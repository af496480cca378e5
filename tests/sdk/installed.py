"""Packages for the tests of clients, put below build/ once, and anew when their list changes."""

import fcntl
import pathlib
import platform
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
MACHINE = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
NODE_LEAST, NODE_PACKAGE = (22, 22), "22.23.3"  # what the packages ask for; what comes along by npm


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(place, wanted, how):
    """Calls how() in the empty folder `place` with the files {name: text} of `wanted` in it,
    unless it was done before with the same ones. Tests side by side wait for each other."""
    done = place / "installed"
    key = "\n".join(wanted.values())
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place.with_name(f"{place.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and done.read_text() == key:
            return place
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name, text in wanted.items():
            (place / name).write_text(text)
        how()
        done.write_text(key)
    return place


def npm(place, wanted):
    how = ["ci"] if "package-lock.json" in wanted else ["install", "--no-package-lock"]
    return install(place, wanted, lambda: run(
        "npm", *how, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=place))


def node_packages(source, place):
    """The folder below build/ with node_modules of the package.json in `source` (with its lock and
    .npmrc, if there are any). MACHINE in it is this machine's name."""
    files = [*source.glob("package*.json"), *source.glob(".npmrc")]
    return npm(BUILD / place, {path.name: path.read_text().replace("MACHINE", MACHINE)
                               for path in files})


def node_program():
    """The system's node, or where that is too old, one that comes along by npm."""
    if tuple(int(part) for part in run("node", "--version")[1:].split(".")[:2]) >= NODE_LEAST:
        return "node"
    package = f"node-linux-{MACHINE}"
    place = npm(BUILD / "node-program", {
        "package.json": f'{{"private": true, "dependencies": {{"{package}": "{NODE_PACKAGE}"}}}}'})
    return place / f"node_modules/{package}/bin/node"


def python_program(requirements, place):
    """The Python of an environment below build/ that has exactly those packages."""
    folder = BUILD / place

    def how():
        run("python3", "-m", "venv", folder)
        run(folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check",
            "--no-deps", "--no-compile", "-r", folder / "requirements.txt")
    install(folder, {"requirements.txt": requirements.read_text()}, how)
    return folder / "bin/python"
