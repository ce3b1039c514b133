"""What the page's files say: small modules, nothing inline, nothing from another host, no broken reference."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "oyster_jax" / "serve" / "static"
MODULES = sorted(STATIC.glob("js/*.js"))
STYLES = sorted(STATIC.glob("style/*.css"))
ICONS = set(re.findall(r'<symbol id="(\w+)"', (STATIC / "icons.svg").read_text("utf-8")))


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def page() -> list[tuple[str, dict[str, str | None]]]:
    tags = Tags()
    tags.feed((STATIC / "index.html").read_text("utf-8"))
    return tags.found


def test_the_page_has_nothing_inline_and_all_it_names_is_there():
    for tag, attributes in page():
        assert tag != "style"
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag == "script":
            assert attributes.get("src")
        for name in ("src", "href"):
            if address := attributes.get(name):
                assert address.startswith("./")
                assert (STATIC / address).is_file()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_is_small_says_what_it_is_and_names_only_what_is_there(module: Path):
    text = module.read_text("utf-8")
    assert text.startswith("/**"), f"{module.name} begins with a sentence that says what it is."
    assert len(text.splitlines()) < 400
    assert all(len(line) <= 120 for line in text.splitlines()), f"{module.name} has a line of more than 120 characters."
    for named in re.findall(r'(?:from|import\() ?"([^"]+)"', text):
        assert named.startswith("./")
        assert (module.parent / named).is_file(), f"{module.name} imports {named}, which is not there."
    for icon in re.findall(r'(?:\bicon\(|changeIcon\(\w+[^,]*, )"(\w+)"', text):
        assert icon in ICONS


@pytest.mark.parametrize("file", [*MODULES, *STYLES, STATIC / "index.html"], ids=lambda path: path.name)
def test_nothing_comes_from_another_host(file: Path):
    addresses = set(re.findall(r"https?://[^\s\"')]+", file.read_text("utf-8")))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # The name of a kind of element.


def test_every_class_of_the_style_sheets_occurs_in_a_module():
    scripts = "".join(path.read_text("utf-8") for path in [*MODULES, STATIC / "index.html"])
    classes = {
        name for path in STYLES for name in re.findall(r"\.([a-z][a-z-]+)(?=[\s,:>{.\[)])", path.read_text("utf-8"))
    }
    assert {name for name in classes if not re.search(rf"\b{name}\b", scripts)} == set()
