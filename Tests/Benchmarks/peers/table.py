#!/usr/bin/env python3
"""Figures to a Markdown table; pure. As a program it shows again what `run --json FILE` wrote:

    Tests/Benchmarks/peers/table.py FILE [--only fanout,chain]
"""

import argparse
import json
import math
import pathlib
import statistics

from shared import PAYLOAD, SHAPES, SLOTS, WORKERS

HEADINGS = {
    "fanout": "fanout, tasks/s",
    "chain": "chain, ms a hop",
    "layers": "layers, tasks/s",
    "payload": "payload, MB/s",
    "spawn": "spawn, processes/s",
}
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure(shape, nodes, seconds):
    """The median of some rounds, in the unit of the shape's heading."""
    median = statistics.median(seconds)
    if shape == "chain":
        return median / nodes * 1_000
    if shape == "payload":
        return nodes * PAYLOAD / median / 1e6
    return nodes / median


def shown(number):
    """Two digits and no more, but all of those before the point: 43,000, 6.9, 0.047."""
    if number <= 0:
        return "0"
    places = 1 - math.floor(math.log10(number))
    return f"{round(number, places):,.{max(places, 0)}f}"


class Notes:
    """Remarks in the order in which cells refer to them; the same words once."""

    def __init__(self):
        self.texts = []

    def mark(self, text):
        if not text:
            return ""
        if text not in self.texts:
            self.texts.append(text)
        return " " + str(self.texts.index(text) + 1).translate(SUPERSCRIPTS)


def cell(shape, result, notes):
    """A figure with its size and remark, or why there is none."""
    if "seconds" not in result:
        return result["reason"] + notes.mark(result.get("remark"))
    number = shown(figure(shape, result["nodes"], result["seconds"]))
    return f"{number} ({result['nodes']:,}){notes.mark(result.get('remark'))}"


def table(figures, shapes=SHAPES):
    """The caption, a row for each system, and the notes."""
    systems = figures["systems"]
    versions = ", ".join(f"{system['title']} {system['version']}"
                         for system in systems if system["version"]) or "No system"
    rounds = figures["rounds"]
    times = "one run each" if rounds == 1 else f"median of {rounds} runs"
    cores = figures["cores"]
    lines = [
        f"{figures['date']}, {cores} core{'s' if cores != 1 else ''}, load {figures['load']:.1f} "
        f"before; {WORKERS} workers × {SLOTS} slots over loopback TCP, {times}; in parentheses how "
        f"many nodes. {versions}.",
        "",
        "| system | " + " | ".join(HEADINGS[shape] for shape in shapes) + " |",
        "|---|" + "---|" * len(shapes),
    ]
    notes = Notes()
    for system in systems:
        cells = [cell(shape, system["shapes"][shape], notes) for shape in shapes]
        lines.append(f"| {system['title']} | " + " | ".join(cells) + " |")
    if notes.texts:
        lines.append("")
    for number, text in enumerate(notes.texts, 1):
        lines.append(f"- {str(number).translate(SUPERSCRIPTS)} {text}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description="Shows figures again as a table.")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--only", metavar="SHAPES", default=",".join(SHAPES))
    options = parser.parse_args()
    shapes = options.only.split(",")
    if not set(shapes) <= set(SHAPES):
        parser.error(f"--only: the shapes are {', '.join(SHAPES)}")
    print(table(json.loads(options.file.read_text()), shapes), end="")


if __name__ == "__main__":
    main()
