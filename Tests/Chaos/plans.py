"""Random plans with the answer of each, computed beforehand."""

import dataclasses

import tools

CHANCES = {"add": 22, "digest": 12, "slow": 14, "flaky": 8, "large": 3, "measure": 6, "daemon": 4,
           "once": 22, "flaky_once": 5, "fails": 1}


@dataclasses.dataclass
class Node:
    """A node as it is in the plan, and what comes out if all before it succeed."""

    id: str
    tool: str
    args: dict
    dependencies: list
    output: object

    @property
    def is_idempotent(self):
        return self.tool in tools.IDEMPOTENT

    @property
    def task(self):
        return {"id": self.id, "tool_name": self.tool, "args": self.args,
                "dependencies": self.dependencies}


@dataclasses.dataclass
class Plan:
    label: str
    nodes: list

    @property
    def document(self):
        return {"tasks": [node.task for node in self.nodes]}

    def __getitem__(self, id):
        return self.by_id[id]

    def __post_init__(self):
        self.by_id = {node.id: node for node in self.nodes}

    def ancestors(self, id):
        """All that a node waits for, directly or not."""
        found, left = set(), list(self[id].dependencies)
        while left:
            node = left.pop()
            if node not in found:
                found.add(node)
                left += self[node].dependencies
        return found


def make(source, label, is_calm=False):
    """The next plan of a source of chance; a calm one is small and nothing in it fails."""
    size = source.randint(1, 8) if is_calm else min(40, 1 + int(source.expovariate(1 / 9)))
    nodes = []
    for number in range(size):
        tool = source.choices(list(CHANCES), list(CHANCES.values()))[0]
        if is_calm and tool in ("fails", "large"):
            tool = "once"
        nodes.append(node(source, f"n{number}", tool, nodes))
    source.shuffle(nodes)
    return Plan(label, nodes)


def node(source, id, tool, earlier):
    recent = earlier[-8:]
    before = source.sample(recent, min(len(recent), source.randint(0, 3)))
    numbers = [each for each in before if isinstance(each.output, int)]
    texts = [each for each in before if tool == "measure" or each.tool != "large"]
    value = source.randint(0, 1000)
    seconds = f"{source.uniform(0, 0.6):.3f}"
    # Values with what they become when references are replaced.
    written, meant = value, value
    if numbers:
        written, meant = "$" + numbers[0].id, numbers[0].output
    match tool:
        case "add":
            values = [f"${{{each.id}}}" for each in numbers] + [value]
            args = {"values": values}
            real = {"values": [each.output for each in numbers] + [value]}
        case "digest" | "measure":
            parts = [f"text {value} costs $$1"]
            real_parts = [f"text {value} costs $1"]
            for each in texts:
                path = ".length" if isinstance(each.output, dict) and value % 2 else ""
                parts.append(f"${{{each.id}{path}}}")
                real_parts.append(tools.as_text(each.output["length"] if path else each.output))
            args = {"text": " and ".join(parts)}
            real = {"text": " and ".join(real_parts)}
        case "slow" | "once":
            args = {"seconds": seconds, "value": written}
            real = {"seconds": seconds, "value": meant}
        case "large":
            args = real = {"word": f"w{value}", "size": source.choice((70_000, 200_000, 700_000))}
        case "fails":
            args = real = {}
        case _:
            args, real = {"value": written}, {"value": meant}
    # What stands behind a failure never runs, so any value will do for it.
    output = 0 if tool == "fails" else tools.output(tool, real)
    return Node(id, tool, args, [each.id for each in before], output)
