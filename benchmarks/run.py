"""How fast and how large: one command, one run, one report.

``python benchmarks/run.py`` measures lungs + infection on a scan of 300 x 512 x 512, a
slice of 512 x 512, and the dock widget, each in a process of its own, and writes
``report.md`` and ``report.json``. ``--quick`` does the same on small images, to see that
it works. ``--peer PYTHON`` names a Python that has lungmask and torch (see ``peer.py``);
its network then runs in the same run, with random weights.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FULL, QUICK = (300, 512, 512), (24, 128, 128)
LIMITS = {
    "volume_s": 15.0,
    "volume_peak_gib": 2.5,
    "slice_s": 0.5,
    "widget_open_s": 1.0,
    "longest_gui_call_ms": 100.0,
}
TITLES = {
    "volume_s": "lungs + infection on a volume, warm engine (s)",
    "volume_peak_gib": "peak memory of that, engine and viewer's side together (GiB)",
    "slice_s": "lungs + infection on one slice, warm engine (s)",
    "widget_open_s": "dock widget open (s)",
    "longest_gui_call_ms": "longest the window did not answer, open to result (ms)",
}
FLAGS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small images")
    parser.add_argument("--peer", metavar="PYTHON", help="Python with lungmask and torch")
    parser.add_argument("--peer-slices", type=int, default=60, help="the rest is extrapolated")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report")
    options = parser.parse_args()
    shape = QUICK if options.quick else FULL
    report: dict[str, Any] = {"shape": list(shape), "machine": machine(), "parts": {}}
    size = [str(n) for n in shape]
    report["parts"]["engine"] = part([sys.executable, HERE / "engine_runs.py", *size])
    report["parts"]["widget"] = on_a_screen([sys.executable, HERE / "widget_open.py", *size])
    if options.peer:
        slices = min(options.peer_slices, shape[0])
        report["parts"]["peer"] = part([options.peer, HERE / "peer.py", *size, str(slices)])
    else:
        report["parts"]["peer"] = {"skipped": "no --peer given; see benchmarks/peer.py"}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    text = in_words(report)
    (options.out / "report.md").write_text(text)
    print(text)
    return 0


def part(command: list[Any]) -> dict[str, Any]:
    """Run a part; it prints one JSON object as its last line."""
    name = next(Path(c).stem for c in command if str(c).endswith(".py"))
    print(f"... {name}", file=sys.stderr, flush=True)
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        errors = done.stderr.strip().splitlines() or ["no output"]
        return {"skipped": f"failed: {errors[-1]}"}
    return json.loads(lines[-1])


def on_a_screen(command: list[Any]) -> dict[str, Any]:
    """Run a part that opens a window."""
    if shutil.which("xvfb-run"):
        screen = "-screen 0 1366x768x24"
        done = part([shutil.which("xvfb-run"), "-a", "-s", screen, *command])
    elif os.environ.get("DISPLAY"):
        done = part(command)
    else:
        done = {"skipped": "neither xvfb-run nor a display"}
    return done


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    facts: dict[str, Any] = {"cores": os.cpu_count(), "python": platform.python_version()}
    info = Path("/proc/cpuinfo")
    if info.exists():
        text = info.read_text()
        facts["cpu"] = next(
            (x.split(":")[1].strip() for x in text.splitlines() if x.startswith("model name")), "?"
        )
        facts["flags"] = [flag for flag in FLAGS if flag in text]
    facts["load_before"] = round(os.getloadavg()[0], 2)
    return facts


def in_words(report: dict[str, Any]) -> str:
    """Set the numbers beside their limits."""
    found = {**report["parts"]["engine"], **report["parts"]["widget"]}
    facts = report["machine"]
    shape = " x ".join(map(str, report["shape"]))
    lines = [
        "# Speed and memory",
        "",
        f"Volume of {shape}, int16, a phantom. {facts.get('cpu', 'Unknown CPU')}, "
        f"{facts['cores']} cores, {', '.join(facts.get('flags', []))}; "
        f"load {facts['load_before']} before the run.",
        "",
        "| what | measured | limit |",
        "|---|---|---|",
    ]
    for key, limit in LIMITS.items():
        value = found.get(key)
        shown = "-" if value is None else f"{value:.2f}"
        lines.append(f"| {TITLES[key]} | {shown} | {limit:g} |")
    alone, longest = found.get("napari_alone_ms"), found.get("longest_gui_call_ms")
    if alone and longest:
        lines += [
            "",
            f"napari alone, without this plugin, does not answer for {alone:.0f} ms while it gets "
            f"label layers of that size: {longest / alone:.2f} times as long here.",
        ]
    for name, result in report["parts"].items():
        if "skipped" in result:
            lines += ["", f"Not measured, {name}: {result['skipped']}."]
    peer, ours = report["parts"]["peer"], found.get("volume_lungs_s")
    if "volume_s" in peer and ours:
        lines += [
            "",
            f"Lungs alone: {ours:.1f} s here; lungmask's architecture with random weights "
            f"{peer['volume_s']:.1f} s (from {peer['slices']} slices, its post-processing "
            f"left out): {peer['volume_s'] / ours:.1f} times as long.",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
