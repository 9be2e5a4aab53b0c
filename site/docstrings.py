"""A Sphinx extension: docstrings as pages show them.

A docstring is read in a terminal too, so it has its formulas as plain text. Here is how each is set on a page.
"""

import re

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment

FORMULAS = {
    "(S + D + I) / (H + S + D)": r"\frac{S + D + I}{H + S + D}",
    "S + D + I": "S + D + I",
    "num_samples * new_rate / sampling_rate": (
        r"\text{num\_samples} \cdot \frac{\text{new\_rate}}{\text{sampling\_rate}}"
    ),
    "T / speed": r"\frac{T}{\text{speed}}",
    "sampling_rate / 2": r"\frac{\text{sampling\_rate}}{2}",
}
_FORMULA = re.compile("|".join(re.escape(text) for text in FORMULAS))  # the longer of two stands first
_SHARED = re.compile(r":(ivar|param) (\w+(?:, \w+)+):(.*)")
_STAGE = re.compile(r"^\d\d\s+")


def _process(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Changes a docstring's lines: formulas are set, and a module's first line loses its stage's number."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[number] = _FORMULA.sub(lambda match: f":math:`{FORMULAS[match[0]]}`", line)
    if what == "module" and lines:
        lines[0] = _STAGE.sub("", lines[0])
    if what == "property":
        _rejoin(lines)
    lines[:] = _one_each(lines)


def _rejoin(lines: list[str]) -> None:
    """Undoes in a property's lines what napoleon does: it takes "a: b" for a type and a text. Ours have annotations."""
    for number, line in enumerate(lines):
        if line.startswith(":type: "):
            lines[0] = f"{line.removeprefix(':type: ')}: {lines[0]}"
            del lines[number]
            return


def _one_each(lines: list[str]) -> list[str]:
    """The lines with one field for each name, where a docstring gives several names one text."""
    out: list[str] = []
    names: list[str] = []
    body: list[str] = []
    kind = ""
    for line in [*lines, ""]:
        if names and not line.startswith(" "):  # the shared text ends here
            for name in names:
                out += [f":{kind} {name}:{body[0]}", *body[1:]]
            names = []
        if match := _SHARED.match(line):
            kind, names, body = match[1], match[2].split(", "), [match[3]]
        elif names:
            body.append(line)
        else:
            out.append(line)
    return out


def _skip(app: Sphinx, what: str, name: str, thing: object, skip: bool, options: object) -> bool | None:
    """Leaves out what another library puts into our classes."""
    home = getattr(thing, "__module__", None) or "asr_helpers"
    return None if home.split(".")[0] == "asr_helpers" else True


def _within_package(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: Element) -> Element | None:
    """Finds `loading.load_rows`: docstrings name a thing of another module without the package's name."""
    target = f"asr_helpers.{node.get('reftarget')}"
    python = env.get_domain("py")
    if node.get("refdomain") != "py" or target.count(".") < 2 or target not in python.objects:
        return None
    return python.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, shown)


def setup(app: Sphinx) -> dict[str, bool]:
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as the docstrings call them
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-skip-member", _skip)
    app.connect("missing-reference", _within_package)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
