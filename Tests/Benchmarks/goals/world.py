"""The tools of the suite of goals: a small world that never changes, without a network.

Called by the commands of tools.yaml as `world.py TOOL ARGUMENT ...`; prints the output, or ends
with code 1 and a sentence on standard error. The folder `files` beside it belongs to the world.
"""

import ast
import datetime
import fnmatch
import operator
import pathlib
import sqlite3
import sys

FILES = pathlib.Path(__file__).resolve().parent / "files"

COUNTRIES = {
    # name: (capital, population in millions, area in km2, continent)
    "France": ("Paris", 68, 551_695, "Europe"),
    "Spain": ("Madrid", 48, 505_990, "Europe"),
    "Italy": ("Rome", 59, 301_340, "Europe"),
    "Germany": ("Berlin", 84, 357_592, "Europe"),
    "Portugal": ("Lisbon", 10, 92_212, "Europe"),
    "Norway": ("Oslo", 5, 385_207, "Europe"),
    "Japan": ("Tokyo", 124, 377_975, "Asia"),
    "Kenya": ("Nairobi", 55, 580_367, "Africa"),
    "Peru": ("Lima", 34, 1_285_216, "South America"),
    "Canada": ("Ottawa", 40, 9_984_670, "North America"),
}

PRICES = {
    "apple": 2, "bread": 3, "cheese": 9, "lamp": 35, "chair": 60, "table": 120, "bicycle": 450,
}
STOCK = {"apple": 200, "bread": 12, "cheese": 0, "lamp": 7, "chair": 24, "table": 3, "bicycle": 5}
TEMPERATURES = {"Paris": 18, "Madrid": 27, "Rome": 25, "Berlin": 15, "Oslo": 9, "Tokyo": 22}

UNITS = {
    ("km", "m"): 1_000, ("m", "cm"): 100, ("kg", "g"): 1_000, ("h", "min"): 60, ("min", "s"): 60,
    ("mile", "km"): 1.609344, ("inch", "cm"): 2.54, ("pound", "kg"): 0.45359237,
}

SALES = [
    ("Anna", "north", 120), ("Boris", "south", 90), ("Chen", "north", 200), ("Dora", "east", 75),
    ("Emil", "south", 160),
]


class Wrong(Exception):
    """What the caller did wrong, as a sentence."""


def known(table, name, what):
    for key, value in table.items():
        if key.lower() == name.strip().lower():
            return value
    raise Wrong(f"There is no {what} {name}; known are {', '.join(sorted(table))}.")


def number(value):
    return str(int(value)) if float(value).is_integer() else f"{float(value):.6g}"


def calculate(expression):
    kinds = {
        ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
        ast.Div: operator.truediv, ast.Mod: operator.mod, ast.Pow: operator.pow,
        ast.FloorDiv: operator.floordiv, ast.USub: operator.neg, ast.UAdd: operator.pos,
    }

    def value(node):
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in kinds:
            return kinds[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in kinds:
            return kinds[type(node.op)](value(node.operand))
        raise Wrong(f"{expression} is not an expression of numbers and + - * / % **.")

    try:
        return number(value(ast.parse(expression, mode="eval").body))
    except (SyntaxError, ZeroDivisionError, OverflowError) as error:
        raise Wrong(f"{expression} cannot be calculated: {error}") from error


def convert(value, unit, target):
    if unit == target:
        return number(float(value))
    if (unit, target) in UNITS:
        return number(float(value) * UNITS[unit, target])
    if (target, unit) in UNITS:
        return number(float(value) / UNITS[target, unit])
    raise Wrong(f"{unit} cannot be converted to {target}.")


def date(text):
    try:
        return datetime.date.fromisoformat(text.strip())
    except ValueError as error:
        raise Wrong(f"{text} is not a date like 2024-02-29.") from error


def within(name):
    path = (FILES / name.strip()).resolve()
    if not path.is_relative_to(FILES) or not path.is_file():
        raise Wrong(f"There is no file {name}.")
    return path.read_text(encoding="utf-8")


def query(statement):
    base = sqlite3.connect(":memory:")
    base.execute("create table sales (seller text, region text, amount integer)")
    base.executemany("insert into sales values (?, ?, ?)", SALES)
    base.execute("pragma query_only = on")
    try:
        rows = base.execute(statement).fetchall()
    except sqlite3.Error as error:
        raise Wrong(f"The statement failed: {error}.") from error
    return "\n".join(", ".join(str(field) for field in row) for row in rows)


TOOLS = {
    "capital": lambda name: known(COUNTRIES, name, "country")[0],
    "population": lambda name: str(known(COUNTRIES, name, "country")[1]),
    "area": lambda name: str(known(COUNTRIES, name, "country")[2]),
    "price": lambda name: str(known(PRICES, name, "product")),
    "stock": lambda name: str(known(STOCK, name, "product")),
    "temperature": lambda city: str(known(TEMPERATURES, city, "city")),
    "calculate": calculate,
    "convert": convert,
    "days_between": lambda first, last: str((date(last) - date(first)).days),
    "weekday": lambda day: date(day).strftime("%A"),
    "count_words": lambda text: str(len(text.split())),
    "reverse": lambda text: text[::-1],
    "upper": lambda text: text.upper(),
    "find_files": lambda pattern: "\n".join(
        sorted(p.name for p in FILES.iterdir() if fnmatch.fnmatch(p.name, pattern))
    ),
    "read_file": within,
    "count_lines": lambda name: str(len(within(name).splitlines())),
    "query_sales": query,
}


def main():
    try:
        print(TOOLS[sys.argv[1]](*sys.argv[2:]), end="")
    except Wrong as wrong:
        sys.exit(str(wrong))


if __name__ == "__main__":
    main()
