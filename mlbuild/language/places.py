"""How bash reads each place of a shell text at which a slot stands: bare, in quotes, in a here-document, in a comment.

Reads from left to right as bash does, and gives up where it can't be certain: the places behind are then LOST.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct, field

from mlbuild.expression import Slot

BARE = "bare"
GLUED = "bare, where some texts would mean more than themselves"
BRACES = "bare, in a brace expansion"
DOUBLE = '"…"'
REOPENED = '"…" after a variable'
SINGLE = "'…'"
COMMENT = "a comment"
EXPANDED = "a here-document"
LITERAL = "a literal here-document"
BACKSLASH = "the place after a backslash"
BACKTICKS = "backticks"
ANSI = "$'…'"
BRACED = "${…}"
ARITHMETIC = "$((…))"
SUBSCRIPT = "a subscript, which bash works out"
AFTER_VARIABLE = "the place after a variable"
NESTED = "an expansion inside a here-document"
LOST = "a text that is too intricate to follow"

SLOT = "\0"
"""Stands for a slot in the text that is scanned; no file holds it."""

OPERATORS = "\n;|&()<> \t"
MARK = re.compile(r"""<<(-?)[ \t]*(?:'([^'\n\0]+)'|"([^"\\$`\n\0]+)"|(\\?)([\w.+:%@/,=-]+))(?=[\s;|&()<>]|\Z)""")
VARIABLE = re.compile(r"\$(?:[$!?*@#0-9-]|([A-Za-z_]\w*))", re.ASCII)
BEHIND = re.compile(r"(\$[A-Za-z_]\w*)?\0", re.ASCII)
"""A slot, and a variable that a text at its place would make longer."""
REDIRECTED = re.compile(r"[\0\d]*[<>]")
NEAR = 200
"""Characters of a line that are looked at again for each slot; all of them would take the square of its length."""
MATCHED = re.compile(r"=~[ \t]+\S*\Z")
WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
SUBSCRIPTED = re.compile(rf"(?:[A-Za-z_]\w*\[|\[(?![\s\[]))([^\n]{{0,{NEAR}}}?)\]\+?=", re.ASCII)
"""`a[…]=` and, in a list of them, `[…]=`: what quotes in it leave of a value is worked out, commands and all."""


class _Frame(Struct):
    """Something open: a quote, a substitution. `first` is the number of slots before it."""

    kind: str
    first: int
    depth: int = 0
    """Parentheses open inside it, or braces in the word that is being read."""
    documents: list[_Document] = field(default_factory=list)
    """Here-documents whose body begins at the next line."""


class _Document(Struct, frozen=True):
    mark: str
    tabs: bool
    quoted: bool


class _Lost(Exception):
    """The scanner can't say how bash reads what follows."""


class _Scanner:
    """Reads a shell text from left to right as bash does, as far as the places of slots go."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.end = len(text)
        self.places: list[str] = []
        self.frames = [_Frame("(", 0)]
        self.word_starts = True

    def scan(self) -> list[str]:
        """The place of each slot, in order."""
        try:
            self._run()
            if self.top.kind == COMMENT:
                self.frames.pop()
            if len(self.frames) > 1 or self.top.documents:
                del self.places[self.frames[:2][-1].first :]
        except _Lost:
            pass
        slots = [*BEHIND.finditer(self.text)]
        found = self.places + [LOST] * (len(slots) - len(self.places))
        return [
            AFTER_VARIABLE if slot[1] and place in (BACKTICKS, SUBSCRIPT, LOST) else place
            for place, slot in zip(found, slots, strict=True)
        ]

    @property
    def top(self) -> _Frame:
        return self.frames[-1]

    def _run(self) -> None:
        while self.position < self.end:
            _READ[self.top.kind](self)

    def _at(self, start: str) -> bool:
        return self.text.startswith(start, self.position, self.end)

    def _open(self, kind: str, length: int) -> None:
        self.frames.append(_Frame(kind, len(self.places)))
        self.position += length

    def _close(self, length: int) -> None:
        if self.top.documents:
            raise _Lost
        self.frames.pop()
        self.position += length
        self.word_starts = False

    def _slot(self, place: str) -> None:
        self.places.append(place)
        self.position += 1
        self.word_starts = False

    def _escape(self) -> None:
        """A backslash and what follows it."""
        if self.text.startswith(SLOT, self.position + 1):
            self.position += 1
            self._slot(BACKSLASH)
        else:
            self.word_starts = self.word_starts and self._at("\\\n")
            self.position += 2

    # --- Commands

    def bare(self) -> None:
        char = self.text[self.position]
        assigned = SUBSCRIPTED.match(self.text, self.position, self.end) if self.word_starts else None
        if assigned and SLOT in assigned[1]:
            self._subscript(assigned)
        elif char == SLOT:
            self._slot(self._bare_place())
        elif char == "\\":
            self._escape()
        elif char in _OPENS_BARE:
            _OPENS_BARE[char](self)
        elif char in OPERATORS:
            self._operator(char)
        else:
            self._plain(char)

    def _subscript(self, assigned: re.Match[str]) -> None:
        inside = assigned[1]
        if re.search(r"[\\`(]", inside) or inside.count("'") % 2 or inside.count('"') % 2:
            raise _Lost
        self.places += [SUBSCRIPT] * inside.count(SLOT)
        self.position = assigned.end()
        self.word_starts = False

    def _bare_place(self) -> str:
        before = self.text[max(0, self.position - NEAR) : self.position]
        if REDIRECTED.match(self.text, self.position + 1, self.end) or MATCHED.search(before):
            return GLUED
        return BRACES if self.top.depth else BARE

    def _plain(self, char: str) -> None:
        if char == "#" and self.word_starts:
            self._open(COMMENT, 1)
            return
        self.top.depth = max(0, self.top.depth + (char == "{") - (char == "}"))
        word = WORD.match(self.text, self.position, self.end) if self.word_starts else None
        if word and word[0] == "case" and len(self.frames) > 1:
            raise _Lost  # the `)` of its patterns would look like the end of what is open
        self.word_starts = False
        self.position += len(word[0]) if word else 1

    def _operator(self, char: str) -> None:
        if char == "<" and self._at("<<<"):
            self.position += 3
        elif char == "<" and self._at("<<"):
            self._here_document()
        elif char in "<>" and self.text.startswith("(", self.position + 1):
            self._open("(", 2)
        elif char == "(":
            self._open("((" if self._at("((") else "(", 2 if self._at("((") else 1)
        elif char == ")" and len(self.frames) > 1:
            self._close(1)
            return
        else:
            self.position += 1
            self.top.depth = 0
            if char == "\n":
                self._bodies()
        self.word_starts = True

    def _here_document(self) -> None:
        match = MARK.match(self.text, self.position, self.end)
        if not match:
            raise _Lost
        quoted = match[2] or match[3]
        self.top.documents.append(_Document(quoted or match[5], bool(match[1]), bool(quoted or match[4])))
        self.position = match.end()

    def _dollar(self) -> None:
        """`$` outside single quotes."""
        self.word_starts = False
        if self._at("$(("):
            self._open("((", 3)
        elif self._at("$("):
            self._open("(", 2)
            self.word_starts = True
        elif self._at("${"):
            self._open("{", 2)
        elif self._at("$[") or (self._at("$'") and self.top.kind == "{"):
            raise _Lost
        elif self._at("$'") and self.top.kind == "(":
            self._open("$'", 2)
        else:
            self._variable()

    def _variable(self) -> None:
        match = VARIABLE.match(self.text, self.position, self.end)
        self.position = match.end() if match else self.position + 1
        if match and match[1] and self._at(SLOT):
            self._slot({"(": GLUED, '"': REOPENED}.get(self.top.kind, AFTER_VARIABLE))

    # --- Here-documents

    def _bodies(self) -> None:
        """The bodies of the here-documents that were announced on the line that has just ended."""
        if any(frame.documents for frame in self.frames[:-1]):
            raise _Lost
        documents, self.top.documents = self.top.documents, []
        for document in documents:
            self._body(document)

    def _body(self, document: _Document) -> None:
        end, after = self._end_of(document)
        if document.quoted:
            self.places += [f"{LITERAL} {document.mark}"] * self.text.count(SLOT, self.position, end)
        else:
            self._expanded(document, end)
        self.position = after

    def _end_of(self, document: _Document) -> tuple[int, int]:
        """Where the line with the mark begins and where the text goes on after it."""
        start = self.position
        while start < self.end:
            stop = self.text.find("\n", start, self.end)
            stop = self.end if stop < 0 else stop
            line = self.text[start:stop]
            if (line.lstrip("\t") if document.tabs else line) == document.mark:
                if not document.quoted and self.text[self.position : start].endswith("\\\n"):
                    raise _Lost
                return start, min(stop + 1, self.end)
            start = stop + 1
        raise _Lost

    def _expanded(self, document: _Document, end: int) -> None:
        whole, self.end = self.end, end
        depth = len(self.frames)
        first = len(self.places)
        self.frames.append(_Frame("<<", first))
        try:
            self._run()
            if len(self.frames) != depth + 1:
                raise _Lost
        except _Lost:
            del self.places[first:]
            raise
        self.end = whole
        self.frames.pop()
        self.places[first:] = [
            f"{EXPANDED} {document.mark}" if place == EXPANDED else place if place in _TEXTUAL else NESTED
            for place in self.places[first:]
        ]

    def here(self) -> None:
        """The body of a here-document whose mark is not quoted."""
        self._text_with_expansions(EXPANDED)

    # --- Quotes and expansions

    def _text_with_expansions(self, place: str) -> None:
        char = self.text[self.position]
        if char == SLOT:
            self._slot(place)
        elif char == "\\":
            self._escape()
        elif char == "$":
            self._dollar()
        elif char == "`":
            self._backticks()
        else:
            self.position += 1

    def double(self) -> None:
        if self._at('"'):
            self._close(1)
        else:
            self._text_with_expansions(self._safe_inside(DOUBLE))

    def single(self) -> None:
        if self._at("'"):
            self._close(1)
        elif self._at(SLOT):
            self._slot(self._safe_inside(SINGLE))
        else:
            self.position += 1

    def _safe_inside(self, place: str) -> str:
        """The place of a quote, unless that stands within `${…}`, where quotes follow rules of their own."""
        return BRACED if self.frames[-2].kind == "{" else place

    def ansi(self) -> None:
        if self._at("'"):
            self._close(1)
        elif self._at(SLOT):
            self._slot(ANSI)
        elif self._at("\\"):
            self._escape()
        else:
            self.position += 1

    def comment(self) -> None:
        if self._at("\n"):
            self.frames.pop()
        elif self._at(SLOT):
            self._slot(COMMENT)
        else:
            self.position += 1

    def _backticks(self) -> None:
        """All up to the next backtick that is not escaped; what quotes in it would do to it is not for us to say."""
        position = self.position + 1
        while position < self.end and self.text[position] != "`":
            position += 2 if self.text[position] == "\\" else 1
        inside = self.text[self.position + 1 : position]
        if position >= self.end or inside.count("'") % 2 or inside.count('"') % 2:
            raise _Lost
        self.places += [BACKTICKS] * inside.count(SLOT)
        self.position = position + 1
        self.word_starts = False

    def braced(self) -> None:
        """`${…}`."""
        char = self.text[self.position]
        if char == "}":
            self._close(1)
        elif char == "'":
            if any(frame.kind in ('"', "<<") for frame in self.frames):
                raise _Lost
            self._open("'", 1)
        elif char == '"':
            self._open('"', 1)
        else:
            self._text_with_expansions(BRACED)

    def arithmetic(self) -> None:
        """`((…))` and `$((…))`."""
        char = self.text[self.position]
        if char in "'\"":
            raise _Lost
        if char == ")" and not self.top.depth:
            if not self._at("))"):
                raise _Lost  # these were two subshells
            self._close(2)
        else:
            self.top.depth += (char == "(") - (char == ")")
            self._text_with_expansions(ARITHMETIC)


_TEXTUAL = frozenset({BACKSLASH, BACKTICKS, BRACED, ARITHMETIC, AFTER_VARIABLE})
_READ: dict[str, Callable[[_Scanner], None]] = {
    "(": _Scanner.bare,
    '"': _Scanner.double,
    "'": _Scanner.single,
    "$'": _Scanner.ansi,
    "{": _Scanner.braced,
    "((": _Scanner.arithmetic,
    "<<": _Scanner.here,
    COMMENT: _Scanner.comment,
}
_OPENS_BARE: dict[str, Callable[[_Scanner], None]] = {
    '"': lambda scanner: scanner._open('"', 1),
    "'": lambda scanner: scanner._open("'", 1),
    "$": _Scanner._dollar,
    "`": _Scanner._backticks,
}


def places(parts: tuple[str | Slot, ...]) -> list[str]:
    """The place of each slot among the parts of a shell text, in order."""
    return _Scanner("".join(part if isinstance(part, str) else SLOT for part in parts)).scan()
