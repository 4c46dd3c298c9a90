"""The form of a fake that departs from its clean style by conventions that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reference.axis import Value
from tests.fakes.fault import CLEAN, PlantedFault


@dataclass(frozen=True)
class Departure(PlantedFault):
    """A planted fault that is a convention, in every scenario and not in some alone.

    Attributes:
        conventions: what its author would declare otherwise than the clean style's, by axis.
        unseen: of these, the axes on which no scenario can show it in this style, each with why.
        alike: by axis, the other values under which every scenario of this style may come out so.
        program_parts: the classes that change the clean program; they go well with others.
        layer_parts: the classes that change the clean layer.
    """

    conventions: Mapping[str, Value] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)
    alike: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    program_parts: tuple[type, ...] = ()
    layer_parts: tuple[type, ...] = ()

    @property
    def shown(self):
        """Return whether some scenario can show that this is not the clean style."""
        return not self.conventions.keys() <= self.unseen.keys()

    @property
    def reason(self):
        """Return why nothing shows, where nothing does."""
        return "" if self.shown else " ".join(self.unseen.values())


def composed(name, style, program_parts, layer_parts):
    """Return the clean program of a style with these parts before its own."""
    base = CLEAN[style].Program
    layer = type(name, before(base.layer_class, layer_parts), {})
    return type(name, before(base, program_parts), {"layer_class": layer})


def before(base, parts) -> tuple[type, ...]:
    """Return the bases of a class that has these parts and what they stand before.

    Parts that derive from it themselves come last, lest it come before what others derive from.
    """
    return (*sorted(parts, key=lambda part: issubclass(part, base)), base)


class Departures:
    """The departures of one module.

    Attributes:
        planted: those with a value that no other planted fault has, each in one style.
        elsewhere: the same in other styles, and values that are planted in some scenarios only.
    """

    def __init__(self) -> None:
        self.planted: dict[str, PlantedFault] = {}
        self.elsewhere: dict[str, PlantedFault] = {}

    @property
    def all(self) -> dict[str, PlantedFault]:
        """Return every departure by name."""
        return {**self.planted, **self.elsewhere}

    def add(self, slug, styles, sentence, conventions, program, layer, planted, **more) -> None:
        """Add these parts put before each style; of several, the name ends in the style's."""
        for style in styles.split():
            name = slug if style == styles else f"{slug}-{style}"
            if name in self.all:
                message = f"there already is a departure {name!r}"
                raise ValueError(message)
            home = self.planted if planted and styles.startswith(style) else self.elsewhere
            home[name] = Departure(
                name,
                style,
                sentence,
                composed(name, style, program, layer),
                conventions,
                program_parts=program,
                layer_parts=layer,
                **more,
            )

    def program(self, slug, styles, sentence, conventions, layer=(), **more) -> Callable:
        """Return a decorator that adds a part of a program, with the parts of a layer it needs."""

        def add(part):
            self.add(slug, styles, sentence, conventions, (part,), layer, **more)
            return part

        return add

    def layer(self, slug, styles, sentence, conventions, **more) -> Callable:
        """Return a decorator that adds a part of a layer."""

        def add(part):
            self.add(slug, styles, sentence, conventions, (), (part,), **more)
            return part

        return add


def known(fault, conventions, **more):
    """Return a planted fault that is a convention throughout as the departure that it is."""
    return Departure(
        fault.name,
        fault.style,
        fault.sentence,
        fault.Program,
        conventions,
        program_parts=(fault.Program,),
        layer_parts=layers_of(fault),
        **more,
    )


def layers_of(fault) -> tuple[type, ...]:
    """Return the layer class of a planted fault, unless it is the clean one."""
    layer = fault.Program.layer_class
    return () if layer is CLEAN[fault.style].Program.layer_class else (layer,)


def together(name: str, sentence: str, *parts: Departure, **more) -> Departure:
    """Return one fake that makes several departures of one style at once."""
    (style,) = {part.style for part in parts}
    program = tuple(each for part in parts for each in part.program_parts)
    layer = tuple(each for part in parts for each in part.layer_parts)
    conventions: dict[str, Value] = {}
    for part in parts:
        if conventions.keys() & part.conventions.keys():
            message = f"{name!r} departs twice on one axis"
            raise ValueError(message)
        conventions.update(part.conventions)
    merged = {
        what: {axis: value for part in parts for axis, value in getattr(part, what).items()}
        for what in ("unseen", "alike")
    }
    return Departure(
        name,
        style,
        sentence,
        composed(name, style, program, layer),
        conventions,
        program_parts=program,
        layer_parts=layer,
        **{**merged, **more},
    )
