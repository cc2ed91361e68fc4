"""What is known of other people's modules: what in them is harmless, and what reaches code without naming it."""

# ruff: noqa: SIM905 (lists of names read best as text)

from __future__ import annotations

import re

BUILTINS = frozenset(
    "ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError BrokenPipeError"
    " BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError"
    " ConnectionResetError DeprecationWarning EOFError Ellipsis EnvironmentError Exception ExceptionGroup"
    " FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError ImportError"
    " ImportWarning IndentationError IndexError InterruptedError IsADirectoryError KeyError KeyboardInterrupt"
    " LookupError MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplemented NotImplementedError"
    " OSError OverflowError PendingDeprecationWarning PermissionError ProcessLookupError RecursionError ReferenceError"
    " ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning"
    " SystemError SystemExit TabError TimeoutError TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError"
    " UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning ZeroDivisionError abs all any"
    " ascii bin bool bytearray bytes callable chr classmethod complex dict divmod enumerate filter float format"
    " frozenset hash hex id input int isinstance issubclass iter len list map max memoryview min next object oct open"
    " ord pow print property range repr reversed round set slice sorted staticmethod str sum super tuple type"
    " zip".split()
)
"""Those of every Python from 3.11 on, so that all of them come to the same digest."""

TYPES = frozenset("bool bytearray bytes complex dict float frozenset int list object set str tuple type".split())
GENERIC = frozenset("dict frozenset list set tuple type".split())
"""Builtin types that take anything in `[ ]`."""

BASES = frozenset(
    [
        "object",
        *(name for name in BUILTINS if name.endswith(("Error", "Exception", "Warning", "Exit", "Interrupt"))),
        *("StopIteration", "StopAsyncIteration"),
        *("abc.ABC", "typing.Protocol", "typing.Generic", "torch.nn.Module"),
    ]
)
"""Classes that a class can inherit from without anything happening."""

METACLASSES = frozenset({"abc.ABCMeta", "type"})

TAKES_ANYTHING = frozenset({"staticmethod", "classmethod", "property", "typing.final", "typing.overload"})
"""Decorators without effect, whatever they are put on."""

TAKES_FUNCTIONS = TAKES_ANYTHING | {
    "abc.abstractmethod",
    "contextlib.asynccontextmanager",
    "contextlib.contextmanager",
    "functools.cache",
    "functools.cached_property",
    "functools.lru_cache",
    "typing.override",
}
"""Decorators that on a plain function do nothing but wrap it."""

CALLED = frozenset(
    {"functools.lru_cache", "functools.wraps", "torch.no_grad", "torch.inference_mode", "torch.enable_grad"}
)
"""The same, written with brackets behind them."""

SHELL_ONLY = frozenset(
    {"dataclasses.dataclass", "typing.final", "typing.runtime_checkable", "functools.total_ordering"}
)
"""Decorators that look at a class, and neither keep it nor run its methods."""

PROPERTY_PARTS = frozenset({"setter", "getter", "deleter"})

OWN_MODULE = frozenset({"globals", "locals", "vars", "dir", "getattr", "setattr", "delattr", "__annotations__"})
"""Names that reach whatever the module holds; the attribute ones only with a name that is worked out."""

BY_NAME = frozenset({"getattr", "setattr", "delattr", "hasattr"})

EVERYTHING = frozenset({"eval", "exec", "compile", "__import__", "__builtins__", "__loader__", "__spec__", "__path__"})
"""Names that reach whatever any module holds."""

ATTRIBUTES = frozenset(
    {"__globals__", "__subclasses__", "__builtins__", "__loader__", "__spec__", "__path__", "f_globals", "f_back"}
)
"""Attributes that reach whatever any module holds, whosesoever they are."""

OWN_MODULE_OF = re.compile(
    r"""(unittest|doctest|fire|defopt|pytest|absl\.app|operator\.(attrgetter|methodcaller)
    | pandas\.eval | numexpr | duckdb | patsy | formulaic | statsmodels(\.\w+)*\.formula | ply
    )\b""",
    re.VERBOSE,
)
"""What of other packages looks into the module that calls it."""

EVALUATES = frozenset({"query", "eval"})
"""Methods (of pandas) that are given a text with names of the module that calls them."""

EVERYTHING_OF = re.compile(
    r"""(
    (\w+\.)*sys\.(modules|_getframe|_current_frames|meta_path|path_hooks|path_importer_cache)
    | importlib(?!\.(metadata\.(version|metadata|PackageNotFoundError)|resources)\b)
    | builtins | pkgutil | runpy | gc | zipimport | marshal | imp | site
    | inspect(?!\.(signature|Signature|Parameter|is\w+|cleandoc|getfullargspec|unwrap)\b)
    | (c|_)?[pP]ickle\.(loads?|_loads?|_?Unpickler)
    | (dill|cloudpickle|joblib|jsonpickle|pickle5|compress_pickle)\.(loads?|load_session|Unpickler|decode|unpickle)
    | shelve\.\w+ | pandas\.read_pickle | pydoc\.(locate|resolve|safeimport)
    | torch\.(load|package|jit\.load|serialization\.load|hub\.load\w*)
    | sklearn\.externals | skops\.io\.loads? | mlflow(\.\w+)*\.load_\w+ | (\w+\.)*keras(\.\w+)*\.load_model
    | (ruamel\.)?yaml\.(unsafe_load(_all)?|C?(Unsafe)?Loader) | fastai(\.\w+)*\.load_learner
    | jsonargparse | (lightning|pytorch_lightning)(\.\w+)*\.(cli|LightningCLI)
    | timeit\.(timeit|repeat|Timer) | c?[pP]rofile\.(run|runctx)
    | hydra\.utils | logging\.config | copyreg | types\.(FunctionType|CodeType|ModuleType)
    )(\.|\Z)""",
    re.VERBOSE,
)
"""What of other packages reaches whatever any module holds: classes by their names (unpickling), modules, frames."""

MODULES_OF_EVERYTHING = frozenset(
    "sys importlib builtins inspect pickle cPickle _pickle dill cloudpickle joblib gc runpy pkgutil".split()
)
"""Modules that reach everything when they are handed on as they are."""

PATH_OF = re.compile(r"sys\.path\.(append|insert|extend|__setitem__)\Z|site\.addsitedir\Z")
"""What changes where imports find modules."""

UNFOLLOWED = re.compile(
    r"import_module|__import__|importlib\.(util|machinery|reload)|runpy|hydra\.utils|pydoc|__path__|zipimport|imp\b"
)
"""Of what reaches everything, what imports modules by names that are worked out."""

PLAIN_ATTRIBUTES = frozenset({"__name__", "__file__", "__doc__", "__package__", "__version__"})
"""Attributes of modules that tell nothing of what is in them."""

TEXT_OF = re.compile(r"(runpy|inspect\.(getsource\w*|getcomments|findsource|getblock)|linecache|tokenize)(\.|\Z)")
"""What reads the text of code, comments and all, or runs what stands under `if __name__ == "__main__"`."""

DOCUMENTATION_OF = re.compile(
    r"(inspect\.(getdoc|getmembers\w*)|pydoc|docopt|docstring_parser|dspy|langchain\w*|smolagents|mcp|fastmcp|pydantic_ai)(\.|\Z)"
)
"""What reads docstrings."""
