"""From text to tree, by `grammar/pipelinefile.lark`. The only user of lark; judges shape, never meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any, NamedTuple

import lark
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError
from lark.lexer import Token
from lark.visitors import Transformer_NonRecursive, v_args
from msgspec.structs import replace

from mlbuild.errors import LEAVE_OUT, Location, ManyErrors, PipelineError, Source
from mlbuild.expression import (
    Argument,
    Attribute,
    Binary,
    Call,
    Index,
    ListOf,
    Literal,
    Maybe,
    Name,
    Node,
    Span,
    Star,
    TableOf,
    Template,
    Unary,
    children,
)
from mlbuild.language import ast, text
from mlbuild.language.decoding import decoded
from mlbuild.language.mistakes import blocks
from mlbuild.language.mistakes.explain import explain
from mlbuild.language.mistakes.place import Place
from mlbuild.language.recovery import without
from mlbuild.values import moment

DEEPEST = 60
"""How deep expressions may nest, so that what walks them may recurse."""
MOST = 20
"""How many mistakes are looked for in one file."""


def parse(path: str, data: bytes) -> ast.File:
    """The tree of a file's bytes.

    Args:
        path: how errors name the file.
        data: all of it.

    Raises:
        ManyErrors: every statement or clause that could not be read, each with its place.
    """
    file, errors = recovered(path, data)
    if errors:
        raise ManyErrors(errors)
    return file


def recovered(path: str, data: bytes) -> tuple[ast.File, list[PipelineError]]:
    """As `parse`, but the tree of what could be read, and what is wrong with the rest.

    Raises:
        ManyErrors: the file is no text.
    """
    source = Source(path, decoded(path, data))
    errors: list[PipelineError] = []
    broken: list[ast.Broken] = []
    rest = source.text
    while True:
        try:
            return replace(_parse(rest, source), broken=tuple(broken)), errors
        except PipelineError as error:
            assert error.at
            errors.append(error)
            if len(errors) == MOST:
                message = f"behind {MOST} mistakes the rest of the file is not looked at"
                errors.append(PipelineError(message, error.at, "correct these, and check again"))
                return ast.File(source, (), (ast.Broken(rest, "include", None),)), errors
            rest, lost = without(rest, error.at.line, begins=_machine()[1].begins(error.at))
            broken.append(lost)


class Lexeme(NamedTuple):
    """A word or sign of a file: its kind in the grammar, its text, and where it starts (in characters)."""

    kind: str
    text: str
    start: int


def lexemes(path: str, data: bytes) -> tuple[str, list[Lexeme]]:
    """The text of a file and what it is made of, without blanks, line breaks and comments. Raises as `parse` does."""
    text = parse(path, data).source.text
    found = (Lexeme(token.type, str(token), token.start_pos or 0) for token in _machine()[1].seen)
    return text, [lexeme for lexeme in found if lexeme.kind != "_NL"]


def literal(text: str) -> Node:
    """A literal that stands alone: a number, size, duration, date, string, list, table, `true`, `false` or `null`.

    Raises:
        PipelineError: it is none.
    """
    source = Source("", f"param it = {text}\n")
    file = _parse(source.text, source)
    match file.statements:
        case (ast.Param(value=value),):
            return value
    raise PipelineError(f"{text} is no literal", Location(source, 1, 1))


# ---------------------------------------------------------------------------------------------------------------------
# Lines: indentation, and recipes


OPENS = ("LSQB", "LPAR", "LBRACE")
ENDS = ("RSQB", "RPAR", "RBRACE")


class _Layout:
    """Between lexer and parser: turns indentation into _INDENT and _DEDENT, and lets lines go on inside brackets.

    Lark's own Indenter counts a tab as 8 blanks and lets lines of one block differ.
    """

    always_accept = ("_NL",)

    def __init__(self) -> None:
        self.source = Source("", "")
        self.reset(self.source)

    def reset(self, source: Source, length: int = 0) -> None:
        """Begin a text of this length, whose places are those of `source`."""
        self.source = source
        self.length = length
        self.indents = [("", 0)]
        self.open: list[Token] = []
        self.seen: list[Token] = []

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        last: Token | None = None
        for token in stream:
            self.seen.append(token)
            if last is None and token.type != "_NL" and (token.column or 1) > 1:
                raise PipelineError("the first line is indented", self._at(token), "statements begin at the left edge")
            if token.type == "_NL":
                if not self.open:
                    yield from self._line(token)
            else:
                if token.type == "RECIPE":
                    self._check_recipe(token)
                self._bracket(token)
                yield token
            last = token
        if last is not None:
            yield from self._end(last)

    def begins(self, at: Location) -> bool:
        """Whether a statement should begin at a place: at the left edge, where no bracket is open."""
        first = at.source.line(at.line)[:1]
        if at.column > 1 or not first.isprintable() or not first.strip():
            return False
        before = [token.type for token in self.seen if (token.line or 1) < at.line]
        return sum(kind in OPENS for kind in before) == sum(kind in ENDS for kind in before)

    def _bracket(self, token: Token) -> None:
        if token.type in OPENS:
            self.open.append(token)
        elif token.type in ENDS and self.open:
            self.open.pop()

    def _end(self, last: Token) -> Iterator[Token]:
        if self.open:
            raise blocks.never_closed(self._at(self.open[-1]), str(self.open[-1]))
        if last.type != "_NL":
            yield Token.new_borrow_pos("_NL", "", last)
        for _ in self.indents[1:]:
            yield Token.new_borrow_pos("_DEDENT", "", last)

    def _line(self, token: Token) -> Iterator[Token]:
        yield token
        indent = token.rpartition("\n")[2]
        if "#" in indent or token.end_pos == self.length:
            return
        line = token.end_line or 1
        top, _ = self.indents[-1]
        if indent == top:
            return
        if " " in indent and "\t" in indent:
            raise blocks.mixed(Location(self.source, line, 1, len(indent)), None)
        if indent.startswith(top):
            self.indents.append((indent, line))
            yield Token("_INDENT", indent, line=line, column=1, end_pos=token.end_pos, start_pos=token.end_pos)
            return
        yield from self._dedents(indent, line, token)

    def _dedents(self, indent: str, line: int, token: Token) -> Iterator[Token]:
        while self.indents[-1][0] != indent:
            top, since = self.indents.pop()
            if not top.startswith(indent):
                raise blocks.mixed(Location(self.source, line, 1, len(indent)), since)
            if len(self.indents[-1][0]) < len(indent):
                raise blocks.no_such_indent(Location(self.source, line, 1, len(indent)), since)
            yield Token("_DEDENT", "", line=line, column=1, end_pos=token.end_pos, start_pos=token.end_pos)

    def _check_recipe(self, token: Token) -> None:
        """The grammar cannot see how deep `run:` itself stands."""
        first = re.match(r"[^\n]*\n\s*\n?([ \t]*)", token) if is_block(token) else None
        if not first:
            return
        lines = token.split("\n")
        number = next(index for index, line in enumerate(lines) if index and line.strip())
        indent = re.match(r"[ \t]*", lines[number])[0]  # type: ignore[index]
        at = Location(self.source, (token.line or 1) + number, 1, len(indent))
        top = self.indents[-1][0]
        if not (indent.startswith(top) or top.startswith(indent)) or (" " in indent and "\t" in indent):
            raise blocks.mixed(at, token.line)
        if len(indent) <= len(top):
            raise blocks.empty_run(Location(self.source, token.line or 1, token.column or 1, len("run")))

    def _at(self, token: Token) -> Location:
        return Location(self.source, token.line or 1, token.column or 1, max(1, len(token.partition("\n")[0])))


HEAD = re.compile(r"run([ \t]+python)?[ \t]*:[ \t]*")


def is_block(recipe: str) -> bool:
    """Whether the commands of a recipe, from `run` on, stand below it."""
    head = HEAD.match(recipe)
    assert head
    return recipe[head.end() : head.end() + 1] in ("\n", "#")


# ---------------------------------------------------------------------------------------------------------------------
# The parser


@cache
def grammar() -> str:
    """The text of the grammar: beside this module once installed, in `grammar/` in a checkout."""
    installed = Path(__file__).with_name("pipelinefile.lark")
    checkout = Path(__file__).parents[2] / "grammar" / "pipelinefile.lark"
    return (installed if installed.exists() else checkout).read_text("utf-8")


@cache
def _machine() -> tuple[lark.Lark, _Layout]:
    layout = _Layout()
    kept = _kept()
    return lark.Lark(grammar(), parser="lalr", postlex=layout, propagate_positions=True, cache=kept), layout


def _kept() -> str | bool:
    """Where the tables of the grammar are kept between commands: working them out takes longer than all else they do.

    Lark makes them anew where they are of another grammar or release, and goes on without where nothing can be written.
    """
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    try:
        os.makedirs(os.path.join(folder, "mlbuild"), mode=0o700, exist_ok=True)
    except OSError:
        return False
    return os.path.join(folder, "mlbuild", "grammar.pickle")


def _parse(rest: str, source: Source) -> ast.File:
    machine, layout = _machine()
    layout.reset(source, len(rest))
    try:
        tree = machine.parse(rest)
    except UnexpectedInput as error:
        raise _explained(error, source, layout) from None
    try:
        statements = _Builder(source).transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    return ast.File(source, statements)


def _explained(error: UnexpectedInput, source: Source, layout: _Layout) -> PipelineError:
    token = getattr(error, "token", None)
    expected = error.accepts if isinstance(error, UnexpectedToken) else getattr(error, "allowed", None)
    kind = token.type if token is not None else ""
    line, column = error.line, error.column
    opened = layout.open[-1] if layout.open else None
    place = Place(
        Location(source, max(1, line), max(1, column)),
        kind,
        frozenset(expected or ()),
        Location(source, opened.line or 1, opened.column or 1) if opened else None,
    )
    return explain(place)


# ---------------------------------------------------------------------------------------------------------------------
# The tree

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
CONSTANTS = {"true": True, "false": False, "null": None}


@v_args(meta=True)
class _Builder(Transformer_NonRecursive[Token, Any]):
    """Makes our tree out of lark's, from the leaves up."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    # --- Places

    def _at(self, meta: Any) -> Location:
        length = meta.end_column - meta.column if meta.end_line == meta.line else 1 << 16
        return Location(self.source, meta.line, meta.column, length)

    def _word(self, token: Token) -> ast.Word:
        return ast.Word(str(token), self._at(token))

    def _between(self, first: Location, last: Location) -> Location:
        length = last.column + last.length - first.column if first.line == last.line else 1 << 16
        return Location(self.source, first.line, first.column, length)

    # --- Statements

    def start(self, meta: Any, items: list[Any]) -> tuple[ast.Statement, ...]:
        return tuple(items)

    def include(self, meta: Any, items: list[Any]) -> ast.Include:
        return ast.Include(items[0], items[0].at)

    def param(self, meta: Any, items: list[Any]) -> ast.Param:
        return ast.Param(self._word(items[0]), self._shallow(items[1]))

    def params_file(self, meta: Any, items: list[Any]) -> ast.ParamsFile:
        return ast.ParamsFile(items[0], self._word(items[1]) if items[1] else None, items[0].at)

    def let(self, meta: Any, items: list[Any]) -> ast.Let:
        return ast.Let(self._word(items[0]), self._shallow(items[1]))

    def calendar(self, meta: Any, items: list[Any]) -> ast.Periods:
        return ast.Periods(str(items[0]), items[1], items[2], items[3], self._at(meta))

    def partition(self, meta: Any, items: list[Any]) -> ast.PartitionOf:
        source = items[1] if isinstance(items[1], ast.Periods) else self._shallow(items[1])
        return ast.PartitionOf(self._word(items[0]), source)

    def executor(self, meta: Any, items: list[Any]) -> ast.ExecutorOf:
        return ast.ExecutorOf(self._word(items[0]), self._shallow(items[1]))

    def defaults(self, meta: Any, items: list[Any]) -> ast.Defaults:
        at = Location(self.source, meta.line, meta.column, len("defaults"))
        return ast.Defaults(tuple(items), at)

    def default(self, meta: Any, items: list[Any]) -> ast.Default:
        words = tuple(self._word(item) for item in items)
        return ast.Default(words, words[0].at)

    def target(self, meta: Any, items: list[Any]) -> ast.TargetOf:
        name, keys, *rest = items
        description = rest.pop(0) if rest and isinstance(rest[0], str) else ""
        return ast.TargetOf(self._word(name), keys or (), description, tuple(rest))

    def keys(self, meta: Any, items: list[Any]) -> tuple[ast.Word, ...]:
        return tuple(self._word(item) for item in items)

    def description(self, meta: Any, items: list[Any]) -> str:
        return cleandoc(items[0][3:-3]).strip()

    # --- Clauses

    def _clause(self, meta: Any, items: list[Any]) -> ast.Clause:
        word, *rest = items
        return ast.Clause(str(word), tuple(rest), self._at(word))

    items_clause = options_clause = edges_clause = checks_clause = _clause

    def single_clause(self, meta: Any, items: list[Any]) -> ast.Clause:
        value = self._shallow(items[1])
        return self._clause(meta, [items[0], Argument(None, value, value.at)])

    def item(self, meta: Any, items: list[Any]) -> Argument:
        name, value = items
        dashed = isinstance(value, Unary) and value.operator == "-" and not isinstance(value.operand, Literal)
        if dashed and name is None and meta.column == value.at.column:
            at = Location(self.source, value.at.line, value.at.column)
            raise PipelineError("an item begins without a dash", at, "write the item alone, a path in quotes")
        return Argument(str(name) if name else None, self._shallow(value), self._at(meta))

    def edge(self, meta: Any, items: list[Any]) -> ast.Edge:
        value, state = items
        return ast.Edge(self._shallow(value), str(state) if state else None, self._at(meta))

    def check(self, meta: Any, items: list[Any]) -> ast.Condition:
        return ast.Condition(self._shallow(items[0]), items[1], items[0].at)

    def recipe_clause(self, meta: Any, items: list[Any]) -> ast.Clause:
        token = items[0]
        at = Location(self.source, token.line, token.column, len("run"))
        head = HEAD.match(token)
        assert head
        body, locate = self._block(token, at) if is_block(token) else self._one_line(token, head.end(), at)
        # Nothing is interpolated in Python.
        script = Template((body,), locate(0, len(body.partition("\n")[0]))) if head[1] else text.recipe(body, locate)
        return ast.Clause("run", (ast.Script("python" if head[1] else "shell", script, at),), at)

    def _one_line(self, token: Token, start: int, at: Location) -> tuple[str, text.Locate]:
        """A recipe and where it stands."""
        body = token[start:].rstrip()
        columns = [at.column + start, *[1] * body.count("\n")]
        return body, text.locator(self.source, at.line, columns, body)

    def _block(self, token: Token, at: Location) -> tuple[str, text.Locate]:
        lines = token.split("\n")
        first = next(number for number, line in enumerate(lines) if number and line.strip())
        indent = len(lines[first]) - len(lines[first].lstrip(" \t"))
        body = "\n".join(line[indent:] for line in lines[first:]).rstrip("\n")
        columns = [indent + 1] * len(lines)
        return body, text.locator(self.source, at.line + first, columns, body)

    # --- Expressions

    def _shallow(self, node: Node) -> Node:
        """The node itself, if it does not nest too deep."""
        level: list[Any] = [node]
        for _ in range(DEEPEST):
            level = [child for parent in level for child in children(parent)]
            if not level:
                return node
        raise PipelineError(
            f"this expression nests more than {DEEPEST} deep", node.at, "give its parts names with `let`"
        )

    def _chain(self, operator: str, items: list[Any]) -> Node:
        left: Node = items[0]
        for right in items[1:]:
            left = Binary(operator, left, right, self._between(left.at, right.at))
        return left

    def disjunction(self, meta: Any, items: list[Any]) -> Node:
        return self._chain("or", items)

    def conjunction(self, meta: Any, items: list[Any]) -> Node:
        return self._chain("and", items)

    def negated(self, meta: Any, items: list[Any]) -> Node:
        return Unary("not", items[0], self._at(meta))

    def comparison(self, meta: Any, items: list[Any]) -> Node:
        pairs = zip(items[::2], items[1::2], items[2::2], strict=False)
        return self._chain(
            "and", [Binary(str(sign), left, right, self._between(left.at, right.at)) for left, sign, right in pairs]
        )

    def sum(self, meta: Any, items: list[Any]) -> Node:
        left: Node = items[0]
        for sign, right in zip(items[1::2], items[2::2], strict=True):
            left = Binary(str(sign), left, right, self._between(left.at, right.at))
        return left

    product = sum

    def signed(self, meta: Any, items: list[Any]) -> Node:
        return Unary("-", items[1], self._at(meta))

    def optional(self, meta: Any, items: list[Any]) -> Node:
        return Maybe(items[0], self._at(meta))

    def grouped(self, meta: Any, items: list[Node]) -> Node:
        return items[0]

    def string(self, meta: Any, items: list[Any]) -> Template:
        return text.string(items[0], self.source, meta.line, meta.column)

    def raw(self, meta: Any, items: list[Any]) -> Literal:
        return Literal(str(items[0])[1:-1], str(items[0]), self._at(meta))

    def name(self, meta: Any, items: list[Any]) -> Name:
        return Name(str(items[0]), self._at(meta))

    def constant(self, meta: Any, items: list[Any]) -> Literal:
        return Literal(CONSTANTS[items[0]], str(items[0]), self._at(meta))

    def number(self, meta: Any, items: list[Any]) -> Literal:
        written, at = str(items[0]), self._at(meta)
        if len(written) > 100:
            raise PipelineError("this number is too long", at)
        value = int(written) if written.isdigit() else float(written)
        if value in (float("inf"), float("-inf")):
            raise PipelineError("this number is too large", at)
        return Literal(value, written, at)

    def size(self, meta: Any, items: list[Any]) -> Literal:
        written = str(items[0])
        number, unit, _ = re.split("([KMGT])", written, maxsplit=1)
        return Literal(round(self._amount(number, meta) * UNITS[unit]), written, self._at(meta))

    def duration(self, meta: Any, items: list[Any]) -> Literal:
        written = str(items[0])
        found = re.findall(r"([\d.]+)(ms|s|m|h|d)", written)
        seconds = 0.0
        for number, unit in found:
            seconds += self._amount(number, meta) * SECONDS[unit]
        return Literal(seconds, written, self._at(meta))

    def _amount(self, number: str, meta: Any) -> float:
        if len(number) > 15:
            raise PipelineError("this number is too long", self._at(meta))
        return float(number)

    def date(self, meta: Any, items: list[Any]) -> Literal:
        written, at = str(items[0]), self._at(meta)
        try:
            moment(written)
        except ValueError as error:
            raise PipelineError(f"{written} is no date: {error}", at) from None
        return Literal(written, written, at)

    def list_of(self, meta: Any, items: list[Any]) -> ListOf:
        return ListOf(tuple(item for item in items if item is not None), self._at(meta))

    def table_of(self, meta: Any, items: list[Any]) -> TableOf:
        pairs = tuple(item for item in items if item is not None)
        seen: set[str] = set()
        for name, value in pairs:
            if name in seen:
                raise PipelineError(f"`{name}` is given twice in this table", value.at, LEAVE_OUT)
            seen.add(name)
        return TableOf(pairs, self._at(meta))

    def pair(self, meta: Any, items: list[Any]) -> tuple[str, Node]:
        token, value = items
        if token.type == "STRING":
            return text.unescaped(token[1:-1]), value
        return token[1:-1] if token.type == "RAW" else str(token), value

    def attribute(self, meta: Any, items: list[Any]) -> Attribute:
        return Attribute(items[0], str(items[1]), self._at(meta))

    def index(self, meta: Any, items: list[Any]) -> Index:
        return Index(items[0], tuple(items[1:]), self._at(meta))

    def call(self, meta: Any, items: list[Any]) -> Call:
        return Call(str(items[0]), tuple(item for item in items[1:] if item is not None), self._at(meta))

    def selector(self, meta: Any, items: list[Any]) -> Argument:
        return Argument(str(items[0]) if items[0] else None, items[1], self._at(meta))

    def star(self, meta: Any, items: list[Any]) -> Star:
        return Star(self._at(meta))

    def closed(self, meta: Any, items: list[Any]) -> Span:
        return Span(items[0], items[2], self._at(meta))

    def open_end(self, meta: Any, items: list[Any]) -> Span:
        return Span(items[0], None, self._at(meta))

    def open_start(self, meta: Any, items: list[Any]) -> Span:
        return Span(None, items[1], self._at(meta))
