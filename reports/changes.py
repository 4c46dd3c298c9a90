"""What a release changed, for people: lines for a terminal, Markdown, and a page.

Written from the document of a check (harness.check_document) and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reports.page import environment, page_style
from reports.page_words import few
from reports.results import write_text_whole

Json = dict[str, Any]
MOST_LISTED = 20
HEADINGS = (
    ("conventions", "Conventions that changed"),
    ("verdicts", "Verdicts that changed"),
    ("numbers", "Numbers that changed beyond the rounding bound"),
    ("failing", "Verdicts that are not expected"),
    ("otherwise", "Conventions measured otherwise than declared"),
    ("unnamed", "Behaviour no combination of conventions explains"),
)


def headline(document: Json) -> str:
    """Return in one sentence what came of the check."""
    changed = [each["name"] for each in document["implementations"] if is_changed(each)]
    same = [each["name"] for each in document["implementations"] if each["same_meaning"]]
    parts = []
    if changed:
        parts.append(f"not the same meaning of BatchNorm: {', '.join(changed)}")
    if same:
        parts.append(f"the same meaning: {', '.join(same)}")
    if alone := [each["name"] for each in document["implementations"] if not each["before"]]:
        parts.append(f"nothing to compare with: {', '.join(alone)}")
    if missing := [each["name"] for each in document["not_checked"]]:
        parts.append(f"could not be checked: {', '.join(missing)}")
    return f"{document['asked']}: {'; '.join(parts) or 'nothing was checked'}."


def is_changed(implementation: Json) -> bool:
    """Tell whether an implementation means something else, or fails."""
    return implementation["same_meaning"] is False or bool(
        implementation["same_meaning"] is None and implementation["failing"]
    )


def entries(implementation: Json) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each heading that has anything under it, with pairs of a name and a text."""
    for kind, heading in HEADINGS:
        if found := implementation[kind]:
            yield f"{heading} ({len(found)})", [entry(kind, each) for each in found]


def entry(kind: str, each: Json) -> tuple[str, str]:
    """Return one entry as a name and a text."""
    if kind == "conventions":
        by = f"; by {few(each['decided_by'])}" if each["decided_by"] else ""
        return each["axis"], f"{each['sentence']} ({few(each['contexts'], '; ')}{by})"
    if kind == "verdicts":
        return each["scenario"], f"{each['before']} → {each['after']}. {each['reason']}"
    if kind == "failing":
        return each["scenario"], f"{each['verdict']}. {each['reason']}"
    return each["axis" if kind == "otherwise" else "scenario"], each["sentence"]


def sides(implementation: Json) -> str:
    """Return what was compared with what."""
    after = spoken(implementation["after"])
    if implementation["before"] is None:
        return f"{after}, with nothing to compare it with"
    return f"{spoken(implementation['before'])} → {after}"


def spoken(side: Json) -> str:
    """Return exact versions as text."""
    versions = ", ".join(f"{name} {version}" for name, version in side["versions"].items())
    return f"{versions} on CPython {side['python']}" if side["python"] else versions


def caveats(implementation: Json) -> list[str]:
    """Return what a reader must know of how this came about."""
    found = list(implementation["after"]["caveats"])
    if implementation["after"]["assumed"]:
        found.append(
            "This version is later than the last one that was measured when the conventions were"
            " declared; they are assumed to hold."
        )
    return found


def as_lines(document: Json) -> list[str]:
    """Return the lines a terminal shows."""
    lines = []
    for each in document["implementations"]:
        lines += ["", f"{each['name']}: {sides(each)}"]
        lines += [f"  ! {caveat}" for caveat in caveats(each)]
        if each["same_meaning"]:
            lines.append(f"  The same meaning in all {each['compared']} scenarios.")
        for heading, found in entries(each):
            lines.append(f"  {heading}:")
            lines += [f"    {name}: {text}" for name, text in found[:MOST_LISTED]]
            if len(found) > MOST_LISTED:
                lines.append(f"    … and {len(found) - MOST_LISTED} more; --json has them all.")
    lines += ["", *(f"{each['name']}: {each['reason']}" for each in document["not_checked"])]
    return [*lines, headline(document)]


def as_markdown(document: Json) -> str:
    """Return Markdown fit for a step's summary or a comment on a pull request."""
    lines = [f"## BatchNorm: {escaped(document['asked'])}", "", escaped(headline(document))]
    for each in document["implementations"]:
        sign = {True: "✅", False: "❌", None: "⚠️"}[each["same_meaning"]]
        lines += ["", f"### {sign} {each['name']}", "", escaped(sides(each)), ""]
        lines += [f"> {escaped(caveat)}" for caveat in caveats(each)]
        if each["same_meaning"]:
            lines += ["", f"The same meaning in all {each['compared']} scenarios."]
        for heading, found in entries(each):
            lines += ["", f"**{heading}**", ""]
            lines += [f"- `{name}`: {escaped(text)}" for name, text in found[:MOST_LISTED]]
            if len(found) > MOST_LISTED:
                lines.append(f"- … and {len(found) - MOST_LISTED} more.")
    for each in document["not_checked"]:
        lines += ["", f"### ⚠️ {each['name']}", "", escaped(each["reason"])]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return text in which nothing is Markdown."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())


def write_html(document: Json, path: Path) -> None:
    """Write the page of a check; raises ReportError where it cannot be written."""
    style, style_hash = page_style()
    text = (
        environment()
        .get_template("changes.html.j2")
        .render(
            document=document,
            headline=headline(document),
            style=style,
            style_hash=style_hash,
            sides=sides,
            entries=lambda each: list(entries(each)),
            caveats=caveats,
        )
    )
    write_text_whole(text, path)
