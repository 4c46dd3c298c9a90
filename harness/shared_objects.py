"""What shared objects for 64-bit Linux ask of others: libraries, and symbols by their versions."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

NAMES_OF_CUDA = re.compile(rb"_*(cu|nccl|nv)")
SYMBOL = np.dtype([("name", "<u4"), ("rest", "<u2"), ("section", "<u2"), ("place", "<u8", (2,))])
UNDEFINED, OF_NO_VERSION = 0, 1
TABLES = (".dynsym", ".dynstr", ".gnu.version")

Wanted = dict[str, dict[str, set[bytes]]]


class Unreadable(Exception):
    """A file is no shared object that can be read; the text says why."""


def no_symbols() -> Wanted:
    """Return what nothing is wanted of."""
    return defaultdict(lambda: defaultdict(set))


@dataclass
class Needs:
    """What shared objects ask of others.

    `libraries` are the names of those, `wanted` the symbols by library and by version of it,
    `plain` those of CUDA that name neither, and `defined` those that the objects have themselves.
    """

    libraries: set[str] = field(default_factory=set)
    wanted: Wanted = field(default_factory=no_symbols)
    plain: set[bytes] = field(default_factory=set)
    defined: set[bytes] = field(default_factory=set)

    def add(self, file: Path) -> None:
        """Add what one shared object asks for, and what it has. Raises Unreadable."""
        try:
            with file.open("rb") as stream:
                self.add_elf(ELFFile(stream))
        except (ELFError, ValueError, OSError) as error:
            raise Unreadable(str(error)) from error

    def add_elf(self, elf: Any) -> None:
        """Add an opened file."""
        table = Table(elf)
        for section in elf.iter_sections("SHT_DYNAMIC"):
            self.libraries |= {tag.needed for tag in section.iter_tags("DT_NEEDED")}
        for section in elf.iter_sections("SHT_GNU_verneed"):
            for library, versions in section.iter_versions():
                for one in versions:
                    found = table.named(table.undefined & (table.versions == one["vna_other"]))
                    self.wanted[library.name][one.name] |= found
        plain = table.named(table.undefined & (table.versions <= OF_NO_VERSION))
        self.plain |= {name for name in plain if NAMES_OF_CUDA.match(name)}
        self.defined |= {n for n in table.named(~table.undefined) if NAMES_OF_CUDA.match(n)}


class Table:
    """The symbols of a shared object: which of them it lacks, and the versions they belong to."""

    def __init__(self, elf: Any) -> None:
        found = {each.name: each.data() for each in elf.iter_sections() if each.name in TABLES}
        self.strings: bytes = found.get(".dynstr", b"")
        symbols = np.frombuffer(found.get(".dynsym", b""), SYMBOL)
        versions = found.get(".gnu.version", b"\1\0" * len(symbols))
        self.starts = symbols["name"]
        self.undefined = symbols["section"] == UNDEFINED
        self.versions = np.frombuffer(versions, "<u2") & 0x7FFF

    def named(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> set[bytes]:
        """Return the names of some of the symbols."""
        starts = self.starts[chosen].tolist()
        return {self.strings[at : self.strings.index(b"\0", at)] for at in starts}
