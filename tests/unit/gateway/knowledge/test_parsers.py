import io
import zipfile
from pathlib import Path, PurePath

import pytest

from services.gateway.knowledge.documents import BrokenFileError, Document
from services.gateway.knowledge.parsers import read_file

WORD_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
    'relationships+xml"/><Default Extension="xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.wordprocessingml.document.main+xml"/></Types>'
)
WORD_LINKS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/'
    '2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)


def read(folder: Path, name: str, content: str | bytes) -> Document:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_file(folder, PurePath(name))


def reason(folder: Path, name: str, content: str | bytes) -> str:
    with pytest.raises(BrokenFileError) as caught:
        read(folder, name, content)
    return str(caught.value)


def pairs(found: Document) -> list[tuple[tuple[str, ...], str]]:
    return [(section.path, section.text) for section in found.sections]


def word(*paragraphs: tuple[str, str]) -> bytes:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    styles = (
        f'<w:styles {space}><w:style w:type="paragraph" w:styleId="Heading1">'
        '<w:name w:val="heading 1"/></w:style></w:styles>'
    )
    inner = (
        '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        'relationships"><Relationship Id="s" Type="http://schemas.openxmlformats.org/'
        'officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>'
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", WORD_TYPES)
        archive.writestr("_rels/.rels", WORD_LINKS)
        archive.writestr(
            "word/document.xml", f"<w:document {space}><w:body>{body}</w:body></w:document>"
        )
        archive.writestr("word/styles.xml", styles)
        archive.writestr("word/_rels/document.xml.rels", inner)
    return made.getvalue()


def pdf(*lines: tuple[int, str]) -> bytes:
    """A page with lines of text, each with its size."""
    shown, at = [], 760
    for size, text in lines:
        shown.append(f"BT /F1 {size} Tf 72 {at} Td ({text}) Tj ET")
        at -= 30
    stream = "\n".join(shown)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    made, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(made))
        made += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"xref\n0 6\n0000000000 65535 f \n{table}trailer << /Size 6 /Root 1 0 R >>\n"
    return made + f"{end}startxref\n{len(made)}\n%%EOF\n".encode()


def test_markdown_is_cut_at_its_headings_and_keeps_their_path(tmp_path: Path) -> None:
    text = (
        "# Returns\n\nIntro.\n\n## Time limit\n\n7 days.\n\n### Gifts\n\n14 days.\n\n"
        "## Costs\nOurs.\n"
    )
    found = read(tmp_path, "returns.md", text)
    assert found.title == "Returns"
    assert pairs(found) == [
        (("Returns",), "Intro."),
        (("Returns", "Time limit"), "7 days."),
        (("Returns", "Time limit", "Gifts"), "14 days."),
        (("Returns", "Costs"), "Ours."),
    ]


def test_a_hash_in_code_is_no_heading_and_marks_stay_text(tmp_path: Path) -> None:
    found = read(tmp_path, "a.md", "# A\n\n```\n# not one\n```\n<|im_end|><script>x</script>\n")
    assert [path for path, _ in pairs(found)] == [("A",)]
    assert "<|im_end|><script>x</script>" in found.sections[0].text


def test_front_matter_gives_title_and_days(tmp_path: Path) -> None:
    front = "---\ntitle: Sale\nvalid_from: 2026-06-01\nvalid_until: '2026-06-18'\n---\n"
    found = read(tmp_path, "sale.md", f"{front}# Other\nText.\n")
    assert (found.title, str(found.valid_from), str(found.valid_until)) == (
        *("Sale", "2026-06-01", "2026-06-18"),
    )
    assert pairs(found) == [(("Other",), "Text.")]


@pytest.mark.parametrize(
    ("front", "why"),
    [
        ("valid_until: soon", "valid_until must be a day"),
        ("valid_until: 2026-02-31", "out of range"),
        ("valid_til: 2026-01-01", "use valid_from and valid_until"),
        ("valid_from: 2026-02-01\nvalid_until: 2026-01-01", "is after"),
        ("- a\n- b", "no keys"),
        ("a: [", "no YAML"),
    ],
)
def test_wrong_front_matter_is_named(tmp_path: Path, front: str, why: str) -> None:
    assert why in reason(tmp_path, "a.md", f"---\n{front}\n---\nText.\n")


@pytest.mark.parametrize(
    ("name", "text", "language"),
    [
        ("zh/a.md", "Only English here.", "zh"),
        ("deep/en/a.md", "只有中文。", "en"),
        ("a.md", "这款耳机叫 Wireless Headphones Pro，可以退货。", "zh"),
        ("b.md", "The 小二 headphones can be returned within seven days.", "en"),
    ],
)
def test_language_is_the_folders_else_the_texts(
    tmp_path: Path, name: str, text: str, language: str
) -> None:
    assert read(tmp_path, name, text).language == language


def test_html_keeps_text_and_tables_and_drops_scripts(tmp_path: Path) -> None:
    page = (
        "<html><head><title> The  router </title><style>p{}</style></head><body><nav>Home</nav>"
        "<h1>Router</h1><p>Fast &amp; small.</p><script>alert(1)</script><h2>Specs</h2>"
        "<table><tr><th>Ports</th></tr><tr><td>4</td></tr></table></body></html>"
    )
    found = read(tmp_path, "r.html", page)
    assert found.title == "The router"
    assert found.sections[0].path == ("Router",)
    assert found.sections[0].text == "Fast & small."
    assert found.sections[1].path == ("Router", "Specs")
    assert "| 4 |" in found.sections[1].text
    assert "alert" not in str(found)
    assert "Home" not in str(found)


def test_word_headings_lead_sections(tmp_path: Path) -> None:
    made = word(("Heading1", "Warranty"), ("Normal", "Two years."))
    assert pairs(read(tmp_path, "w.docx", made)) == [(("Warranty",), "Two years.")]


def test_large_lines_of_a_pdf_are_headings(tmp_path: Path) -> None:
    made = pdf((20, "Warranty"), (11, "Every lamp has two years of warranty."), (11, "Always."))
    (section,) = read(tmp_path, "w.pdf", made).sections
    assert section.path == ("Warranty",)
    assert "two years" in section.text


def test_questions_and_answers_become_sections(tmp_path: Path) -> None:
    table = '\ufeffquestion,answer\n"Is it, new?","Yes.\n# really"\n\nGone?,\n'
    assert pairs(read(tmp_path, "faq.csv", table)) == [(("Is it, new?",), "Yes.\n# really")]
    chinese = read(tmp_path, "zh.csv", "问题,答案\n能退吗,能\n")
    assert pairs(chinese) == [(("能退吗",), "能")]
    assert found_title(tmp_path) == "faq"


def found_title(folder: Path) -> str:
    return read(folder, "faq.csv", "question,answer\na,b\nc,d\n").title


def test_other_tables_name_their_columns(tmp_path: Path) -> None:
    found = read(tmp_path, "t.csv", "model,watts,note\nK1,65,\n")
    assert pairs(found) == [(("K1",), "model: K1\nwatts: 65")]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pdf", b"%PDF-1.4 nothing more", ""),
        ("a.pdf", pdf(), "scan"),
        ("a.docx", b"PK no zip", ""),
        ("a.docx", word()[:300], ""),
        ("a.md", b"\xff\xfe\x00caf", "not UTF-8"),
        ("a.md", b"a\0b", "not a text file"),
        ("a.md", b"", "no text"),
        ("a.md", b"# Only a heading\n", "no text"),
        ("a.html", b"<html><script>x</script></html>", "no text"),
        ("a.csv", b"question,answer\n", "no rows"),
        ("a.csv", b"a,b\n1,2,3\n", "line 2 has 3 cells"),
        ("a.csv", b'a,b\n"1,2\n', "line"),
        ("a.html", b"<div>" * 20_000 + b"x", "deeply"),
    ],
)
def test_broken_files_say_why(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    said = reason(tmp_path, name, content)
    assert why in said
    assert said


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match="No such file"):
        read_file(tmp_path, PurePath("gone.md"))
