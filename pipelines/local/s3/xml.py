"""S3's XML, both ways: trees of tuples become text, and untrusted text becomes an element without any expansion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape

from pipelines.local.s3.errors import StoreError

MAX_XML = 8 << 20  # 10,000 parts or 1,000 keys, fully escaped, need less
_MAX_DEPTH = 20
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")

Content: TypeAlias = "str | int | Sequence[Node]"
Node: TypeAlias = "tuple[str, Content]"


DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def write_xml(name: str, content: Content, *, namespace: bool = True) -> bytes:
    """One element and what is in it, as bytes to follow the DECLARATION."""
    attribute = f' xmlns="{_NAMESPACE}"' if namespace else ""
    return f"<{name}{attribute}>{_write(content)}</{name}>".encode()


def printable(text: str) -> str:
    """For errors, which everyone must be able to read: without what XML has no way to write."""
    return _CONTROL.sub("\ufffd", text)


def _write(content: Content) -> str:
    if isinstance(content, str | int):
        # Control characters leave as references, as S3 sends them; encoding-type=url is for clients that refuse those.
        return _CONTROL.sub(lambda match: f"&#{ord(match[0])};", escape(str(content)))
    return "".join(f"<{name}>{_write(inner)}</{name}>" for name, inner in content)


def read_xml(data: bytes) -> Element:
    """The root element, names without their namespace. A DOCTYPE is refused: entities cannot be declared at all.

    Errors: MalformedXML.
    """
    builder = TreeBuilder()
    depth = 0

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise _malformed("it is nested too deeply")
        builder.start(name.rpartition(" ")[2], {})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition(" ")[2])

    def doctype(*_: object) -> None:
        raise _malformed("it has a DOCTYPE")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise _malformed(str(error)) from error
    return builder.close()


def text_of(element: Element, name: str) -> str:
    """The text of a child. Errors: MalformedXML when it is not there."""
    child = element.find(name)
    if child is None:
        raise _malformed(f"{element.tag} has no {name}")
    return child.text or ""


def _malformed(why: str) -> StoreError:
    return StoreError(
        "MalformedXML", f"the XML of the request cannot be read: {why}", fix="send what S3's API describes"
    )
