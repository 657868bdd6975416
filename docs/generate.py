"""Write the generated parts of the documents anew: `python docs/generate.py`.

They come from the code: the configuration from its schema, the commands from their options, the
manifest from its schema, the scenarios from their files. `--check` writes nothing and exits with 3
if a document is out of date. `--faults FILE` takes the table of injected faults out of the output
of `make test-device`.
"""

import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel
from typer.models import ArgumentInfo, ParameterInfo

DOCS = Path(__file__).parent
ROOT = DOCS.parent
SCRIPT_FOLDERS = ("train", "convert", "benchmarks")
START, END = "<!-- generated: {} -->", "<!-- end of generated: {} -->"
FAULTS = "faults"
NO_BOUND = 1e9
"""A bound from here on only keeps a number finite."""
FAULT_HEAD = "fault  "

Schema = Mapping[str, Any]


def generated() -> dict[str, dict[str, str]]:
    """The text of each generated part: document -> name of the part -> Markdown."""
    from edge.bundle.manifest import manifest_schema
    from edge.config import Config
    from edge.simulator.scenario import Scenario

    manifest = sys.modules[manifest_schema.__module__].Manifest
    top = "The top of the file"
    return {
        "configuration.md": {"configuration": tables(Config, top)},
        "bundle-format.md": {"manifest": tables(manifest, "The top of the manifest", toml=False)},
        "simulator.md": {"scenarios": scenarios(), "scenario keys": tables(Scenario, top)},
        "command-line.md": {"ewaste-edge": device_commands(), "scripts": script_commands()},
    }


def tables(model: type[BaseModel], top: str, toml: bool = True) -> str:
    """A table of keys for a model and for each model within it.

    Args:
        model: the outermost one.
        top: what to call its table.
        toml: put the names of the inner models in brackets, as TOML does.
    """
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    inherited: dict[str, str] = {}
    for base in reversed(model.__mro__):
        inherited |= described({"description": inspect.getdoc(base) or ""})[1]
    parts = [f"### {top}\n\n{table(schema, definitions, inherited)}"]
    for path, part in sections(schema, definitions):
        introduction, _ = described(part)
        heading = path if toml else path.strip("[]")
        parts.append(f"### `{heading}`\n\n{introduction}\n\n{table(part, definitions)}")
    return "\n\n".join(parts)


def sections(
    schema: Schema, definitions: Schema, above: str = "", seen: tuple[str, ...] = ()
) -> Iterator[tuple[str, Schema]]:
    """Each schema within a schema, with the place of its keys as TOML writes it."""
    for name, entry in schema.get("properties", {}).items():
        reference, many = referenced(entry)
        if reference is None or reference in seen:
            continue
        path = f"{above}{name}"
        part = definitions[reference]
        yield f"[[{path}]]" if many else f"[{path}]", part
        yield from sections(part, definitions, f"{path}.", (*seen, reference))


def referenced(entry: Schema) -> tuple[str | None, bool]:
    """The definition that a property refers to, if any, and whether it is a list of such."""
    if "$ref" in entry:
        return entry["$ref"].rpartition("/")[2], False
    for inner in ("items", "additionalProperties"):
        if isinstance(entry.get(inner), dict) and "$ref" in entry[inner]:
            return entry[inner]["$ref"].rpartition("/")[2], inner == "items"
    for choice in entry.get("anyOf", ()):
        found, many = referenced(choice)
        if found is not None:
            return found, many
    return None, False


def table(schema: Schema, definitions: Schema, inherited: Mapping[str, str] | None = None) -> str:
    """The keys of one schema, one row each; a column that nothing stands in is left out."""
    meanings = {**(inherited or {}), **described(schema)[1]}
    required = schema.get("required", ())
    rows = [("key", "type", "default", "meaning")]
    for name, entry in schema.get("properties", {}).items():
        reference, _ = referenced(entry)
        is_section = reference is not None
        kind = "section" if is_section else type_of(entry)
        default = "required" if name in required else default_of(entry, is_section)
        meaning = meaning_of(entry, meanings.get(name, ""))
        if is_section and not meaning:
            meaning = described(definitions[reference])[0]
        rows.append((f"`{name}`", kind, default, meaning))
    return markdown_table(rows)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of them the heads, as a Markdown table without its empty columns."""
    used = [column for column in range(len(rows[0])) if any(row[column] for row in rows[1:])]
    lines = ["| " + " | ".join(cell(row[column]) for column in used) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(used), *lines[1:]])


def meaning_of(entry: Schema, attribute: str) -> str:
    """What a key means, as a sentence; TOML has no None."""
    text = entry.get("description") or attribute
    text = re.sub(r"(^|[.] )None\b", r"\1Not set", text)
    text = re.sub(r"\bNone\b", "not set", text)
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+\b(?!_)", text) else text


def described(schema: Schema) -> tuple[str, dict[str, str]]:
    """The docstring of a model: its text, and the meaning of each attribute."""
    text, _, attributes = schema.get("description", "").partition("Attributes:\n")
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in attributes.splitlines():
        entry = re.match(r" {4}(\w+(?:, \w+)*): (.*)", line)
        if entry:
            names = entry[1].split(", ")
            meanings |= dict.fromkeys(names, entry[2].strip())
        else:
            meanings |= {name: f"{meanings[name]} {line.strip()}".strip() for name in names}
    return " ".join(text.split()), meanings


def type_of(entry: Schema) -> str:
    """The type of a key and its range, in words."""
    if "enum" in entry:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in entry["enum"])
    if "const" in entry:
        return f"`{json.dumps(entry['const'])}`"
    if "anyOf" in entry:
        kinds = [type_of(choice) for choice in entry["anyOf"] if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    kind = entry.get("type", "any")
    if kind == "array":
        if "prefixItems" in entry:
            return "list of " + ", ".join(type_of(each) for each in entry["prefixItems"])
        return f"list of {type_of(entry.get('items', {}))}"
    if kind == "object":
        inner = entry.get("additionalProperties")
        return f"table of {type_of(inner)}" if isinstance(inner, dict) else "table"
    names = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    words = names.get(kind, kind)
    if entry.get("format") == "path":
        words = "path"
    return words + limits(entry)


def limits(entry: Schema) -> str:
    """The range of a number, or the length or the pattern of a text; empty without."""
    low, high = number(entry.get("minimum")), number(entry.get("maximum"))
    above, below = number(entry.get("exclusiveMinimum")), number(entry.get("exclusiveMaximum"))
    bounds = []
    if low is not None and low == high:
        bounds.append(f"always {low}")
    elif low is not None and high is not None:
        bounds.append(f"{low} to {high}")
    elif low is not None:
        bounds.append(f"at least {low}")
    if above is not None:
        bounds.append(f"above {above}")
    if high is not None and low is None:
        bounds.append(f"at most {high}")
    if below is not None:
        bounds.append(f"below {below}")
    if "minLength" in entry:
        bounds.append("not empty")
    if "maxLength" in entry:
        bounds.append(f"at most {entry['maxLength']} characters")
    if "pattern" in entry:
        bounds.append(f"pattern `{entry['pattern']}`")
    return f", {', '.join(bounds)}" if bounds else ""


def number(value: float | None) -> str | None:
    """A bound without an exponent or a needless fraction; None for one that nobody will reach."""
    if value is None or abs(value) >= NO_BOUND:
        return None
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def default_of(entry: Schema, is_section: bool) -> str:
    """The default of a key as TOML writes it."""
    if is_section:
        return "see below" if entry.get("default", True) is not None else "none"
    if "default" not in entry:
        return "see below"
    return "none" if entry["default"] is None else f"`{plain(json.dumps(entry['default']))}`"


def plain(text: str) -> str:
    """A text without where this checkout and this home directory lie."""
    return text.replace(f"{ROOT}/", "").replace(str(Path.home()), "~")


def cell(text: str) -> str:
    """A text that may stand in a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def scenarios() -> str:
    """The scenarios that come with the program."""
    from edge.simulator.scenario import read_scenario, scenario_names

    rows = [(f"`{name}`", read_scenario(name).about) for name in scenario_names()]
    return markdown_table([("scenario", "what it shows"), *rows])


def device_commands() -> str:
    """The options of `ewaste-edge`, command by command."""
    from edge.cli import app

    groups = {"": app, **{f"{each.name} ": each.typer_instance for each in app.registered_groups}}
    functions = {
        f"{prefix}{command.name or command.callback.__name__.replace('_', '-')}": command.callback
        for prefix, group in groups.items()
        for command in group.registered_commands
        if not command.hidden
    }
    parts = [command_text(f"ewaste-edge {name}", functions[name]) for name in sorted(functions)]
    return "\n\n".join([cell(app.info.help or ""), *parts])


def script_commands() -> str:
    """The options of the scripts of the workstation."""
    parts = []
    for folder in SCRIPT_FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
                module = importlib.import_module(f"{folder}.{path.stem}")
                parts.append(command_text(f"python {folder}/{path.name}", module.main))
    return "\n\n".join(parts)


def command_text(title: str, function: Callable[..., Any]) -> str:
    """One command: its purpose, and a table of its arguments and options."""
    rows = [("option", "value", "default", "meaning")]
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        row = parameter_row(name, hints[name], parameter.default)
        if row is not None:
            rows.append(row)
    purpose = inspect.cleandoc(function.__doc__ or "")
    body = markdown_table(rows) if len(rows) > 1 else "It takes no options."
    return f"### `{title}`\n\n{purpose}\n\n{body}"


def parameter_row(name: str, hint: Any, default: Any) -> tuple[str, str, str, str] | None:
    """Names, value, default and meaning of a parameter; None if a user never sees it."""
    kind, info = hint, None
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        info = next((note for note in notes if isinstance(note, ParameterInfo)), None)
    if kind is typer.Context or getattr(info, "hidden", False):
        return None
    kind, many = bare(kind)
    required = default is inspect.Parameter.empty
    if isinstance(info, ArgumentInfo):
        shown = name.upper() if required else f"[{name.upper()}]"
        names, flags = [shown], False
    else:
        flags = kind is bool
        names = option_names(name, info, flags)
    value = "flag" if flags else words_of(kind) + bounds_of(info) + (", repeatable" if many else "")
    text = "required" if required else default_text(default, names if flags else None)
    meaning = getattr(info, "help", None) or ""
    return ", ".join(f"`{each}`" for each in names), value, text, meaning


def bare(kind: Any) -> tuple[Any, bool]:
    """A type without `None` and `list`, and whether it was a list."""
    choices = [each for each in get_args(kind) if each is not type(None)]
    if get_origin(kind) in (Union, UnionType) and len(choices) == 1:
        return bare(choices[0])
    if get_origin(kind) is list:
        return choices[0], True
    return kind, False


def option_names(name: str, info: ParameterInfo | None, is_flag: bool) -> list[str]:
    """How an option is written."""
    # Within Annotated, typer keeps the first name that was given as the default.
    first = getattr(info, "default", None)
    given = [first] if isinstance(first, str) else []
    given += getattr(info, "param_decls", None) or ()
    if given:
        return [each for text in given for each in text.split("/")]
    dashed = name.replace("_", "-")
    return [f"--{dashed}", f"--no-{dashed}"] if is_flag else [f"--{dashed}"]


def words_of(kind: Any) -> str:
    """A type, in words."""
    if get_origin(kind) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f"`{choice.value}`" for choice in kind)
    return {int: "whole number", float: "number", Path: "path", str: "text"}.get(kind, str(kind))


def bounds_of(info: ParameterInfo | None) -> str:
    """The range of a number; empty without."""
    low, high = number(getattr(info, "min", None)), number(getattr(info, "max", None))
    if low is None:
        return "" if high is None else f", at most {high}"
    return f", at least {low}" if high is None else f", {low} to {high}"


def default_text(default: Any, flags: list[str] | None) -> str:
    """A default, as a user would type it; empty where there is none.

    Args:
        default: the parameter's.
        flags: how a flag is written when it is on, and when it is off; None: it is no flag.
    """
    if default is None:
        return ""
    if flags is not None:
        both = len(flags) > 1
        return f"`{flags[0 if default else 1]}`" if both else ""
    values = default if isinstance(default, list | tuple) else [default]
    return ", ".join(f"`{plain(str(getattr(value, 'value', value)))}`" for value in values)


def fault_table(output: str) -> str:
    """The table of injected faults, out of what `make test-device` printed.

    Raises:
        ValueError: there is none.
    """
    lines = output.splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith(FAULT_HEAD)]
    if not heads:
        raise ValueError("no table of faults in this output")
    rows = []
    for line in lines[heads[-1] :]:
        if not line.strip() or line.startswith(("=", "-")):
            break
        rows.append(line.rstrip())
    return "```text\n" + "\n".join(rows) + "\n```"


def filled(text: str, name: str, content: str) -> str:
    """A document with one of its generated parts replaced.

    Raises:
        ValueError: the document has no such part.
    """
    start, end = START.format(name), END.format(name)
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"no part {start} ... {end}")
    return f"{before}{start}\n\n{content}\n\n{end}{after}"


def main(
    check: Annotated[
        bool,
        typer.Option("--check", help="write nothing; exit with 3 if a document is out of date"),
    ] = False,
    faults: Annotated[
        Path | None, typer.Option(help="output of make test-device, for the table of faults")
    ] = None,
) -> None:
    """Write the generated parts of the documents. Exit codes: 0 done, 3 out of date."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parts = generated()
    if faults is not None:
        table_text = fault_table(faults.read_text(encoding="utf-8"))
        parts["faults.md"] = {FAULTS: table_text}
    stale = []
    for name, contents in parts.items():
        path = DOCS / name
        text = new = path.read_text(encoding="utf-8")
        for part, content in contents.items():
            new = filled(new, part, content)
        if new != text:
            stale.append(name)
            if not check:
                path.write_text(new, encoding="utf-8")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run: python docs/generate.py", file=sys.stderr)
        sys.exit(3)
    print(f"{'written' if stale else 'up to date'}: {', '.join(stale) or 'all documents'}")


if __name__ == "__main__":
    typer.run(main)
