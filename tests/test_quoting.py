"""Quoting by place: whatever a value holds, a real bash hands its exact text on, or the recipe is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlbuild.errors import Location, PipelineError, Source
from mlbuild.expression import Bundle, Call, Name, Reference, Slot, Template
from mlbuild.language import text
from mlbuild.language.quoting import render_recipe


class Values:
    """A scope in which every name stands for the value given."""

    def __init__(self, **values: object) -> None:
        self.values = values

    def name(self, node: Name) -> object:
        return self.values[node.name]

    def reference(self, node: Reference) -> object:
        raise AssertionError(node)

    def call(self, node: Call, arguments: list[object]) -> object:
        raise AssertionError(node)


def recipe(body: str) -> Template:
    source = Source("Pipelinefile", body)
    return text.recipe(body, text.locator(source, 1, [1] * (body.count("\n") + 1), body))


def rendered(body: str, **values: object) -> str:
    return render_recipe(recipe(body), Values(**values), as_file=lambda slot, content: f"file({content!r})")


def bash(script: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, stdin=subprocess.DEVNULL, timeout=20
    )
    assert done.returncode == 0, (script, done.stderr)
    return done.stdout.decode(errors="surrogateescape")


PLACES: dict[str, tuple[str, Callable[[str], str]]] = {
    "bare": ("printf %s {x}", lambda v: v),
    "glued": ("printf %s --a={x}.bak", lambda v: f"--a={v}.bak"),
    "two": ("printf %s {x}{x}", lambda v: v + v),
    "assigned": ('a={x}\nprintf %s "$a"', lambda v: v),
    "after a variable": ("h=home\nprintf %s $h{x}", lambda v: "home" + v),
    "before a redirection": ("printf %s a{x}>&1", lambda v: f"a{v}"),
    "alone before a redirection": ("printf %s {x}>&1", lambda v: v),
    "digits before a redirection": ("printf %s {x}2>&1", lambda v: f"{v}2"),
    "in braces": ("printf %s. {a,{x}}", lambda v: f"a.{v}."),
    "in braces, first": ("printf %s. {{x},b}c", lambda v: f"{v}c.bc."),
    '"…"': ('printf %s "a {x} b"', lambda v: f"a {v} b"),
    '"…" after a variable': ('h=home\nprintf %s "$h{x}{x}"', lambda v: f"home{v}{v}"),
    "'…'": ("printf %s 'a {x} b'", lambda v: f"a {v} b"),
    "$(…)": ('printf %s "$(printf %s. {x})"', lambda v: v + "."),
    '"…" in "$(…)"': ('printf %s "$(printf %s. "{x}")"', lambda v: v + "."),
    "'…' in $(…)": ("a=$(printf %s. '{x}')\nprintf %s \"$a\"", lambda v: v + "."),
    "( … )": ("(printf %s {x})", lambda v: v),
    "<(…)": ("cat <(printf %s {x})", lambda v: v),
    "here-string": ("cat <<< {x}", lambda v: v + "\n"),
    "literal here-document": ("cat <<'E_E'\n{x}\nE_E", lambda v: v + "\n"),
    "here-document": ("cat <<E_E\n{x}\nE_E", lambda v: v + "\n"),
    "here-document, glued": ("cat <<E_E\n{x}_E\nE{x}\n E_E{x}.\nE_E", lambda v: f"{v}_E\nE{v}\n E_E{v}.\n"),
    "here-document with tabs": ("cat <<-E_E\n\t.{x}.\n\tE_E", lambda v: f".{v}.\n"),
    "behind a here-document": ("cat <<E_E >/dev/null\nit's $HOME\nE_E\nprintf %s {x}", lambda v: v),
    "on the line of a here-document": ("cat <<E_E >/dev/null; printf %s {x}\nit's\nE_E", lambda v: v),
    "here-document in $(…)": ('printf %s "$(cat <<E_E\n.{x}.\nE_E\n)"', lambda v: f".{v}."),
    "comment": ("# don't {x}\nprintf %s {x}", lambda v: v),
    "comment at the end": ("printf %s {x} # {x}", lambda v: v),
    "[[ =~ ]]": ("[[ a{x} =~ ^a{x}$ ]] && printf ok", lambda v: "ok"),
    "[[ ]]": ("[[ {x} == {x} ]] && printf ok", lambda v: "ok"),
    "case": ("case {x} in {x}) printf ok;; *) printf {x};; esac", lambda v: "ok"),
    "after case": ("case a in a) ;; esac\nprintf %s {x}", lambda v: v),
    "for": ("for a in {x} b; do printf %s. \"$a\"; done", lambda v: f"{v}.b."),
    "array": ('a=({x} b)\nprintf %s. "${a[@]}"', lambda v: f"{v}.b."),
    "function": ("f() { printf %s \"$1\"; }\nf {x}", lambda v: v),
    "continued line": ("printf %s \\\n  {x}", lambda v: v),
    "behind quotes": ("printf %s%s 'it'\\''s '\"'\" {x}", lambda v: f"it's '{v}"),
    "behind $'…'": ("printf %s%s $'it\\'s ' {x}", lambda v: f"it's {v}"),
    "behind backticks": ("printf %s%s `printf a` {x}", lambda v: f"a{v}"),
    "behind ${…}": ('a=b\nprintf %s%s "${a:-"}"}" {x}', lambda v: f"b{v}"),
    "behind $((…))": ("printf %s%s $(( (1 + 2) << 3 )) {x}", lambda v: f"24{v}"),
    "behind #": ('a=b#c\nprintf %s%s "${#a}" {x}', lambda v: f"3{v}"),
    "behind $#": ("printf %s%s $# {x}", lambda v: f"0{v}"),
    "behind another's braces": ("awk 'BEGIN { printf \"z\" }' </dev/null\nprintf %s {x}", lambda v: f"z{v}"),
    "awk": ("awk 'BEGIN { printf \"z\" } # {x}' </dev/null", lambda v: "z"),
}  # fmt: skip

HOSTILE = ("a", "1", "-", "=", ",", "..", " ", '"', "'", "$", "`", "\\", "\n", "$(id)", "é", "#", "!", "*", "{y}")
HOSTILE += (
    ";",
    "&",
    "E_E",
    "_E",
    "E",
    "${HOME}",
    "\t",
    "~",
    "|",
    "(",
    ")",
    "<",
    ">",
    "if",
    "case",
    "[",
    "]",
    "%s",
    "\r",
)
values = st.lists(st.sampled_from(HOSTILE), max_size=6).map("".join)


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=12, deadline=None)
@given(value=values)
@example("it's")
@example('a "b" c')
@example("$HOME `id` \\")
@example("a\nE_E\nb")
@example("")
@example("-rf")
@example("2")
@example("1+1")
@example("E")
def test_bash_gets_the_exact_text(place: str, value: str) -> None:
    body, expected = PLACES[place]
    if place == "awk" and "\n" in value:
        return
    try:
        script = rendered(body, x=value)
    except PipelineError as error:
        assert "here-document" in place, error
        return
    assert bash(script) == expected(value), script


@pytest.mark.parametrize("value", ["a\n\tb", "\tb"])
def test_a_tab_that_a_here_document_takes_away(value: str) -> None:
    for body in ("cat <<-E_E\n\t{x}\n\tE_E", "cat <<- 'E_E'\n\t{x}\n\tE_E"):
        with pytest.raises(PipelineError, match="begins with a tab, which `<<-` takes away"):
            rendered(body, x=value)
    assert bash(rendered("cat <<E_E\n{x}\nE_E", x=value)) == f"{value}\n"


@settings(max_examples=60, deadline=None)
@given(places=st.lists(st.sampled_from(sorted(PLACES)), min_size=2, max_size=5), value=values)
def test_one_place_does_not_spoil_the_next(places: list[str], value: str) -> None:
    body = "\n".join(f"( {PLACES[place][0]}\n)" if "case" not in place else PLACES[place][0] for place in places)
    if "\n" in value and "awk" in places:
        return
    try:
        script = rendered(body, x=value)
    except PipelineError as error:
        assert "here-document" in str(error), error
        return
    assert bash(script) == "".join(PLACES[place][1](value) for place in places), script


@settings(max_examples=40, deadline=None)
@given(items=st.lists(values, max_size=4))
def test_a_list_is_its_items_as_words(items: list[str]) -> None:
    out = bash(rendered("printf '%s\\0' start {x}", x=items))
    assert out.split("\0") == ["start", *items, ""]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("echo `echo {x}`", "backticks"),
        ("echo $'{x}'", "$'…'"),
        ("echo ${A:-{x}}", "${…}"),
        ('echo "${A:-"{x}"}"', "${…}"),
        ("echo $(( {x} ))", "$((…))"),
        ("(( {x} > 3 ))", "$((…))"),
        ("a[{x}]=1", "a subscript"),
        ("declare a[1 + {x}]+=1", "a subscript"),
        ('a[b["{x}"]]=1', "a subscript"),
        ("a=([{x}]=1)", "a subscript"),
        ("a[$(echo {x})]=1", "a text that is too intricate to follow"),
        ("echo \\{x}", "the place after a backslash"),
        ('echo "\\{x}"', "the place after a backslash"),
        ("cat <<E\n$(echo {x})\nE", "an expansion inside a here-document"),
        ("cat <<E\n$HOME{x}\nE", "the place after a variable"),
        ("echo `echo $HOME{x}`", "the place after a variable"),
        ("a[$HOME{x}]=1", "the place after a variable"),
        ("echo 'never closed $HOME{x}", "the place after a variable"),
        ("(case a in a) echo {x};; esac)", "a text that is too intricate to follow"),
        ("echo 'never closed {x}", "a text that is too intricate to follow"),
        ("cat <<E\nnever ended {x}", "a text that is too intricate to follow"),
        ("cat <<E\\\\F\n{x}\nE", "a text that is too intricate to follow"),
        ('echo "${A:-it\'s}" {x}', "a text that is too intricate to follow"),
        ("echo $((cd /; ls) | wc) {x}", "a text that is too intricate to follow"),
    ],
)
def test_elsewhere_only_harmless_text_is_taken(body: str, place: str) -> None:
    slot = next(part for part in recipe(body).parts if isinstance(part, Slot))
    assert slot.place.startswith(place)
    if "variable" not in place:
        assert rendered(body, x="a-1.5/b") == body.replace("{x}", "a-1.5/b")
    with pytest.raises(PipelineError, match="can't be quoted inside"):
        rendered(body, x="a b")
    with pytest.raises(PipelineError, match="can't be quoted inside"):
        rendered(body, x="")


def test_a_refusal_shows_the_place_and_what_to_do() -> None:
    with pytest.raises(PipelineError) as caught:
        rendered("echo `date {x}`", x="a b")
    assert str(caught.value) == (
        "Pipelinefile:1:12: error: the value of `{x}` can't be quoted inside backticks: 'a b'\n"
        "  1 | echo `date {x}`\n"
        "    |            ^^^\n"
        "  hint: write $(…) in place of the backticks"
    )


def test_a_value_that_would_end_its_here_document_is_refused() -> None:
    with pytest.raises(PipelineError, match="it makes a line that is EOF"):
        rendered("cat <<EOF\n{x}F\nEOF", x="EO")


def test_nul_is_refused_everywhere() -> None:
    with pytest.raises(PipelineError, match="holds a NUL character"):
        rendered("echo {x}", x="a\0b")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a {xs}", "a 'p q' r"),
        ('a "{xs}"', 'a "p q r"'),
        ("a {none}", "a "),
        ("a {xs:raw}", "a p q r"),
        ("a {xs:file}", r"a 'file(['\''p q'\'', '\''r'\''])'"),
        ("a {xs:--in}", "a --in 'p q' --in r"),
        ("a {none:--in}", "a "),
        ("a {null:--in}", "a "),
        ("a {on:--in}", "a --in"),
        ("a {lr:.3f}", "a 0.001"),
        ("a {paths:stem} {paths:name} {paths:dir}", "a b b.csv a"),
        ("a {table:json}", """a '{"k": [1, null]}'"""),
        ("a ${HOME} {1..5} {print $1} {a,b}", "a ${HOME} {1..5} {print $1} {a,b}"),
        ("a {{x}} %{x} @{x} \\begin{x}", "a {x} %{x} @{x} \\begin{x}"),
        ("a ${{x}}", "a ${{x}}"),
        ('a {"x": 1} { x } {x*2} {x: 1}', 'a {"x": 1} { x } {x*2} {x: 1}'),
    ],
)
def test_formats_and_what_is_no_slot(body: str, expected: str) -> None:
    scope = Values(
        xs=["p q", "r"],
        none=[],
        null=None,
        on=True,
        lr=0.0012,
        paths=Bundle(("a/b.csv",)),
        table={"k": [1, None]},
    )
    assert render_recipe(recipe(body), scope, as_file=lambda slot, content: f"file({content!r})") == expected


def test_null_has_no_text() -> None:
    with pytest.raises(PipelineError, match=r"`\{x\}` is null"):
        rendered("echo {x}", x=None)


def test_kept_names_stay_as_written() -> None:
    body = "a {resources.cpus:d} {x}"
    scope = Values(x=1)
    assert (
        render_recipe(recipe(body), scope, lambda slot, content: "", frozenset({"resources"}))
        == "a {resources.cpus:d} 1"
    )


def test_a_slot_knows_its_place_in_the_file() -> None:
    source = Source("Pipelinefile", "    run:\n        a\n          b {x}\n")
    template = text.recipe("a\n  b {x}", text.locator(source, 2, [9, 9], "a\n  b {x}"))
    slot = template.parts[1]
    assert isinstance(slot, Slot)
    assert slot.at == Location(source, 3, 13, 3)
